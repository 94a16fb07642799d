"""Units as fleet takes them: names, options, the text they become. Pure.

fleet joins the options to a text, reads that text back, and leaves it to systemd; each of the three has rules of its
own. Here a value either comes out of all of them as it went in, or is refused.
"""

import re
from typing import NamedTuple

from minipaas_lib import api

NAME_LIMIT = 255  # bytes; systemd's UNIT_NAME_MAX is 256 with its end, and fleet, which allows 256, would lose the unit
LINE_LIMIT = 2047  # bytes of one line of a unit: fleet refuses lines of 2048
TYPES = ("service", "timer", "socket", "path")  # fleet takes more, but would never unload a target
METADATA_KEY = "[A-Za-z0-9_.-]{1,128}"
METADATA_VALUE = "[!#$&'()*+./0-9:;<>?@A-Z\\[\\]^_`a-z{|}~-]{1,256}"  # ASCII without space, quote, = , % and backslash

_NAME = rf"[A-Za-z0-9][A-Za-z0-9:_.@-]*\.({'|'.join(TYPES)})"
_WORD = "[A-Za-z][A-Za-z0-9-]*"


class Option(NamedTuple):
    section: str
    name: str
    value: str


def name(text: str) -> str:
    """The name of a unit, unchanged, if systemd, fleet and a URL all take it as it is. Raises errors.UsageError."""
    if len(text) <= NAME_LIMIT and re.fullmatch(_NAME, text):
        return text
    raise api.errors.UsageError(f"{api.names.safe(text)} cannot be the name of a unit")


def is_template(name: str) -> bool:
    """Whether it is a template (`a@.service`), of which only instances can run."""
    return name.rpartition(".")[0].endswith("@") and name.count("@") == 1


def is_global(options) -> bool:
    """Whether a unit with these options runs on every node: the last word on it counts."""
    values = [option.value for option in options if option.section == "X-Fleet" and option.name == "Global"]
    return bool(values) and values[-1].strip('"').lower() in ("true", "yes", "1", "on", "t")


def check(options: list[Option]) -> None:
    """Raise errors.UsageError for options that would not reach systemd as they are."""
    if not options:
        raise api.errors.UsageError("a unit needs options")
    for option in options:
        _check(option)


def _check(option: Option) -> None:
    where = f"the option {api.names.safe(option.name)} of a unit"
    if not re.fullmatch(_WORD, option.section) or not re.fullmatch(_WORD, option.name):
        raise api.errors.UsageError(f"{where} has no name that systemd knows")
    try:
        size = len(f"{option.name}={option.value}".encode())
    except UnicodeEncodeError:
        raise api.errors.UsageError(f"{where} is not valid UTF-8") from None
    if size > LINE_LIMIT:
        raise api.errors.UsageError(f"{where} has {size} bytes, and fleet takes lines of at most {LINE_LIMIT}")
    # No control characters: a line end would begin an option of its own. No backslash at the end: it would take the
    # next line in. No space at an end: fleet drops it when it reads the unit back, and the hash is another one then.
    if re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", option.value):
        raise api.errors.UsageError(f"{where} holds a control character")
    if option.value.endswith("\\") or option.value != option.value.strip():
        raise api.errors.UsageError(f"{where} begins or ends with a space, or ends with a backslash")


def metadata(key: str, value: str) -> str:
    """`key=value` as X-Fleet's MachineMetadata has it. Raises errors.UsageError where fleet could not ask for it."""
    if not re.fullmatch(METADATA_KEY, key):
        raise api.errors.UsageError(
            f"{api.names.safe(key)} cannot be a tag's name: use letters, digits and . _ -",
            "give a tag such as: disk=ssd",
        )
    if not re.fullmatch(METADATA_VALUE, value):
        raise api.errors.UsageError(
            f"{api.names.safe(value)} cannot be a tag's value: use ASCII without spaces, quotes, =, comma, % and \\",
            "give a tag such as: disk=ssd",
        )
    return f"{key}={value}"


def text(options) -> str:
    """The unit file that fleet makes of options: in their order, but each section once."""
    sections: dict[str, list[str]] = {}
    for option in options:
        sections.setdefault(option.section, []).append(f"{option.name}={option.value}\n")
    return "\n".join(f"[{section}]\n{''.join(lines)}" for section, lines in sections.items())


def digest(options) -> str:
    """The hash by which fleet's states name the text of a unit."""
    import hashlib

    return hashlib.sha1(text(options).encode(), usedforsecurity=False).hexdigest()


def line(words: list[str] | tuple[str, ...]) -> str:
    """Words as a command line of systemd (ExecStart=): quoted, with nothing expanded (systemd.service(5)).

    Raises errors.UsageError for what cannot be on one line, or a first word that is not the path of a program.
    """
    if not re.fullmatch("/[A-Za-z0-9/._-]+", words[0]):
        raise api.errors.UsageError(f"{api.names.safe(words[0])} is not the path of a program")
    return " ".join([words[0], *[_quoted(word) for word in words[1:]]])


def _quoted(word: str) -> str:
    if re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", word):
        raise api.errors.UsageError(f"{api.names.safe(word)} holds a control character, and a unit's command cannot")
    word = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch("[A-Za-z0-9_@%+=:,./$-]+", word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
