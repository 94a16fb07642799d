"""Unit files as fleet writes and reads them: a text from options, options from a text, the hash of a text."""

import hashlib
from typing import NamedTuple

LINE_MAX = 2048  # bytes
_BUFFER = 4096  # bytes that its reader looks ahead
_SPACE = " \t\n\v\f\r\x85\xa0"
NEWLINE_IN_NAME = "unexpected newline encountered while parsing option name"
TOO_LONG = f"line too long (max {LINE_MAX} bytes)"


class Option(NamedTuple):
    section: str
    name: str
    value: str


class BadUnit(ValueError):
    """What fleet says of a text that it cannot read back."""


def serialize(options: list[Option]) -> str:
    """Options in their order, each section once, where it was first named."""
    sections: dict[str, list[Option]] = {}
    for option in options:
        sections.setdefault(option.section, []).append(option)
    blocks = []
    for section, inside in sections.items():
        blocks.append(f"[{section}]\n" + "".join(f"{option.name}={option.value}\n" for option in inside))
    return "\n".join(blocks)


def digest(options: list[Option]) -> str:
    return hashlib.sha1(serialize(options).encode("utf-8", "surrogatepass")).hexdigest()


def deserialize(text: str) -> list[Option]:
    """The options of a text. Raises BadUnit."""
    return _Reader(text.encode("utf-8", "surrogatepass")).options()


class _Reader:
    """Reads as fleet's lexer does, which refuses a long line only where its look-ahead buffer happens to hold it."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.filled = data, 0, 0
        self.found: list[Option] = []

    def options(self) -> list[Option]:
        section: str | None = None
        while True:
            self._line_limit()
            char = self._char()
            if char == "":
                return self.found
            if char == "[":
                section = self._section()
            elif char in "#;":
                self._comment()
            elif section is not None and char not in _SPACE:
                self._option(section, char)

    def _section(self) -> str:
        self._line_limit()
        end = self.data.find(b"]", self.at)
        if end < 0:
            raise BadUnit("unable to find end of section")
        section = self._take(end + 1)[:-1]
        self._line_limit()
        if self._line().strip():
            raise BadUnit("found garbage after section name")
        return section.decode("utf-8", "replace")

    def _comment(self) -> None:
        self._line_limit()
        while self._line().removesuffix(b" ").endswith(b"\\"):
            pass

    def _option(self, section: str, first: str) -> None:
        self.at -= len(first.encode("utf-8", "surrogatepass"))
        self._line_limit()
        name = ""
        while (char := self._char()) != "=":
            if char == "":
                raise BadUnit("EOF")
            if char in "\n\r":
                raise BadUnit(NEWLINE_IN_NAME)
            name += char
        value = b""
        while True:
            self._line_limit()
            last = b"\n" not in self.data[self.at :]
            line = self._line()
            if not line.strip():
                break
            value += line
            if not line.endswith(b"\\"):
                break
            if not last:
                value += b"\n"
        kept = value.decode("utf-8", "surrogatepass")
        stripped = kept.strip(_SPACE)
        self.found.append(Option(section, name.strip(_SPACE), stripped + "\n" if kept.endswith("\n") else stripped))

    def _line_limit(self) -> None:
        ahead = self.data[self.at : self.filled]
        if len(ahead) >= LINE_MAX and not any(end in ahead[:LINE_MAX] for end in (b"\r", b"\n")):
            raise BadUnit(TOO_LONG)

    def _char(self) -> str:
        self._fill()
        if self.at >= len(self.data):
            return ""
        head = self.data[self.at]
        size = 1 if head < 0x80 else 2 if head < 0xE0 else 3 if head < 0xF0 else 4
        return self._take(self.at + size).decode("utf-8", "surrogatepass")

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        line = self._take(end + 1 if end >= 0 else len(self.data))
        return line.removesuffix(b"\n") if line.endswith(b"\n") else line.removesuffix(b"\r")

    def _fill(self) -> None:
        if self.at >= self.filled:
            self.filled = min(self.at + _BUFFER, len(self.data))

    def _take(self, end: int) -> bytes:
        """All up to `end`; what lies past the buffer is read as the buffer runs empty or full."""
        taken = self.data[self.at : end]
        while self.filled < end:
            if self.filled - self.at >= _BUFFER:
                self.at = self.filled
            before = self.filled
            self.filled = min(self.at + _BUFFER, len(self.data))
            if self.filled == before:
                break
        self.at = end
        return taken
