"""Domain names: from what people type to the ASCII form that nginx and certificates use, and back."""

import re

from minipaas_lib import api

NAME_LIMIT = 253  # characters of a whole name (RFC 1035)
LABEL_LIMIT = 63
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_EXAMPLE = "give a name such as: blog.example.org"


def domain(text: str) -> str:
    """The normal form of a domain: ASCII (punycode), lower case, no dot at the end; `*.` may lead.

    Raises errors.UsageError, and errors.Unavailable where the idna library cannot be unpacked.
    """
    _refuse_other_things(text)
    name = text if text.isascii() else _to_ascii(text)
    name = name.lower()
    name = name[:-1] if name.endswith(".") else name
    if len(name) > NAME_LIMIT:
        raise api.errors.UsageError(
            f"the domain {api.names.safe(text)} has {len(name)} characters; the limit is {NAME_LIMIT}", _EXAMPLE
        )
    host = name[2:] if name.startswith("*.") else name
    if "*" in host:
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not a domain: * can only stand alone as the first part",
            "give a wildcard such as: *.example.org",
        )
    for label in host.split("."):
        _check_label(text, label)
    if host.rpartition(".")[2].isdigit():
        raise _address(text)
    return name


def display(name: str) -> str:
    """`name` as people read it: punycode decoded where that is a valid name, else unchanged."""
    if "xn--" not in name:
        return name
    try:
        api.activate()
        import idna

        star, host = ("*.", name[2:]) if name.startswith("*.") else ("", name)
        shown = star + idna.decode(host)
        return shown if domain(shown) == name else name
    except (UnicodeError, api.errors.MinipaasError):
        return name


def _refuse_other_things(text: str) -> None:
    """Raise for what is recognisably not a domain: a URL, a port, an address, a path, blanks."""
    shown = api.names.safe(text)
    if not text:
        raise api.errors.UsageError("the domain is empty", _EXAMPLE)
    if "://" in text or text.startswith("//"):
        host = re.split("[/?#]", text.partition("//")[2], maxsplit=1)[0]
        raise api.errors.UsageError(f"{shown} is a URL, not a domain", _suggest(host))
    if text.startswith("[") or text.count(":") > 1:
        raise _address(text)
    if re.fullmatch("[^:/]+:[0-9]+", text):
        host = text.partition(":")[0]
        raise api.errors.UsageError(f"{shown} has a port; domains are given without one", _suggest(host))
    if re.search(r"\s", text):
        raise api.errors.UsageError(f"the domain {shown} contains a space", _EXAMPLE)
    if "/" in text:
        host = text.partition("/")[0]
        raise api.errors.UsageError(f"{shown} has a path; domains are given without one", _suggest(host))
    bad = re.search(r"[^A-Za-z0-9.*\x80-\U0010ffff-]", text)
    if bad:
        raise api.errors.UsageError(
            f"the domain {shown} has {api.names.safe(bad[0])} in it", "use letters, digits, - and dots"
        )


def _check_label(text: str, label: str) -> None:
    if not label:
        raise api.errors.UsageError(f"the domain {api.names.safe(text)} has an empty part between dots", _EXAMPLE)
    if len(label) > LABEL_LIMIT:
        raise api.errors.UsageError(
            f"the domain {api.names.safe(text)} has a part of {len(label)} characters; the limit is {LABEL_LIMIT}",
            _EXAMPLE,
        )
    if not re.fullmatch(_LABEL, label):
        raise api.errors.UsageError(
            f"the part {api.names.safe(label)} of the domain {api.names.safe(text)} must have a letter or digit"
            " first and last",
            _EXAMPLE,
        )


def _to_ascii(text: str) -> str:
    """Punycode by IDNA 2008 with UTS 46; Python's own codec is IDNA 2003, for which straße.de is strasse.de."""
    if len(text) > NAME_LIMIT:  # before idna, whose time grows with the square of the length
        raise api.errors.UsageError(
            f"the domain {api.names.safe(text)} has {len(text)} characters; the limit is {NAME_LIMIT}", _EXAMPLE
        )
    star, host = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    api.activate()
    import idna

    try:
        return star + idna.encode(host, uts46=True, std3_rules=True).decode("ascii")
    except UnicodeError:
        raise api.errors.UsageError(f"{api.names.safe(text)} is not a valid international domain", _EXAMPLE) from None


def _suggest(host: str) -> str:
    """The hint with the domain inside of something longer, if there is one."""
    host = re.sub(":[0-9]*", "", host.rpartition("@")[2])
    try:
        return f"give only the name: {domain(host)}"
    except api.errors.UsageError:
        return _EXAMPLE


def _address(text: str) -> api.errors.UsageError:
    return api.errors.UsageError(
        f"{api.names.safe(text)} is an address, not a domain", "for a name without DNS, try: blog.203.0.113.9.sslip.io"
    )
