"""Which program reads a Dockerfile, and the text that it is given. Pure.

BuildKit searches the top of a Dockerfile for a line `# syntax=<image>` and lets that image read it. Several parsers
have their own ideas of such a line (`//`, JSON, `#!`, which blanks), so none of them gets to search: a comment line
that is no directive goes before the text, and ends the search of all (BuildKit:
frontend/dockerfile/parser/directives.go). What may be asked for is read here, and handed on as the build argument
BUILDKIT_SYNTAX.
"""

import re
from typing import NamedTuple

GUARD = b"# what follows names no other program to read it\n"
_BOM = b"\xef\xbb\xbf"
_DIRECTIVE = re.compile(rb"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*([^\s].*?)[ \t]*\r?")
# Directives that stay in force, with what their values may be; the order is the one in which every parser takes them.
_KEPT = ((b"escape", rb"[\\`]"), (b"check", rb"[A-Za-z0-9=;,_-]{1,200}"))
_DOCKERS = re.compile(r"(?:(?:index\.)?docker\.io/)?docker/dockerfile(?::([A-Za-z0-9][A-Za-z0-9._-]{0,63}))?")
_NAMED_TAG = re.compile("latest|labs|experimental")
_VERSION_TAG = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?(?:-[a-z0-9-]+)?")
_OLDEST = (
    1,
    1,
    2,
)  # the first that keeps cache mounts of one namespace from those of another (BUILDKIT_CACHE_MOUNT_NS)


class Source(NamedTuple):
    """A Dockerfile as docker gets it."""

    content: bytes
    shift: int  # lines that stand before the repository's own
    syntax: str  # the image that is to read it; empty for the reader that docker has built in


def guarded(data: bytes) -> Source:
    """The Dockerfile `data` with a line before it that ends every search for directives."""
    data = data.removeprefix(_BOM)
    named = _directives(data)
    kept = [b"# %s=%s\n" % (name, named[name]) for name, value in _KEPT if re.fullmatch(value, named.get(name, b""))]
    syntax = named.get(b"syntax", b"").decode("ascii", "replace")
    return Source(b"".join([*kept, GUARD, data]), len(kept) + 1, syntax)


def _directives(data: bytes) -> dict[bytes, bytes]:
    """Name -> value of the plain directive lines at the top; the first of a name counts."""
    found: dict[bytes, bytes] = {}
    lines = data[:4096].split(b"\n")
    for line in lines[1:] if lines[0].startswith(b"#!") else lines:
        match = _DIRECTIVE.fullmatch(line)
        if not match:
            break
        found.setdefault(match[1].lower(), match[2])
    return found


def is_dockers(syntax: str) -> bool:
    """Whether it is docker's own, by a name that only docker gives: `docker/dockerfile`, perhaps with a tag."""
    return bool(_DOCKERS.fullmatch(syntax))


def is_recent(syntax: str) -> bool:
    """Whether that version keeps the cache mounts of apps apart."""
    named = _DOCKERS.fullmatch(syntax)
    if not named:
        return False
    tag = named[1] or "latest"
    if _NAMED_TAG.fullmatch(tag):
        return True
    version = _VERSION_TAG.fullmatch(tag)
    if not version:
        return False
    given = tuple(int(number) for number in version.groups() if number)
    return given >= _OLDEST[: len(given)]


_PRINTED = re.compile(r"(?:#\d+ )?\d+\.\d+ ")  # by a command of the build: 0.123 text
_PARSE_ERROR = re.compile(r"(?i)(dockerfile parse error (?:on )?line )(\d+)")
_WARNING = re.compile(r"( - [A-Z]\w+: .*\(line )(\d+)(\))$")
_EXCERPT = re.compile(r"( *)(\d+) \|( .*|$)")
_SENT_AS = re.compile(r"\.dockerfile\.[0-9a-f]{20}")  # what the classic client calls a Dockerfile outside the context


def counted_back(line: str, shift: int, name: str) -> str:
    """A line of a build's output with the line numbers that the repository's own Dockerfile has; `name`: its file's."""

    def less(number: str) -> str:
        return str(max(int(number[:9]) - shift, 1))

    if _PRINTED.match(line):
        return line
    line = _SENT_AS.sub(lambda _: name, line)
    line = _PARSE_ERROR.sub(lambda found: found[1] + less(found[2]), line)
    if warned := _WARNING.match(line):
        return warned[1] + less(warned[2]) + warned[3]
    if line.startswith(f"{name}:") and (number := line[len(name) + 1 :]).isdecimal():
        return f"{name}:{less(number)}"
    if shown := _EXCERPT.fullmatch(line):
        return f"{shown[1]}{less(shown[2])} |{shown[3]}" if int(shown[2][:9]) > shift else ""
    return line
