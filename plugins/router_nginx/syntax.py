"""nginx's configuration syntax: text to directives and back.

It follows ngx_conf_read_token() of nginx 1.22 (src/core/ngx_conf_file.c). What `dump` writes has every word in a
form that reads back as exactly that word, so what was checked in the tree is what nginx gets.
"""

import re
from typing import NamedTuple

DEPTH = 8  # blocks within blocks; nginx's own contexts need five
_SPACE = " \t\r\n"
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@+,~*^|?&%!<>()\[\]$-]+")


class Directive(NamedTuple):
    name: str
    arguments: tuple[str, ...]
    block: tuple["Directive", ...] | None  # None: ends with a semicolon
    line: int


class SyntaxProblem(ValueError):
    """A syntax error, with its line."""


def parse(text: str) -> list[Directive]:
    """The directives of a configuration text. Raises SyntaxProblem."""
    bad = re.search("[^\t\r\n\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]", text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise SyntaxProblem(f"line {line}: there is a control character U+{ord(bad[0]):04X}")
    reader = _Reader(text)
    tree = _block(reader, 0)
    return list(tree)


def dump(tree, indent: str = "") -> str:
    """The text of directives; parse() of it gives the same tree, lines aside."""
    lines = []
    for directive in tree:
        head = indent + " ".join(quote(word) for word in (directive.name, *directive.arguments))
        if directive.block is None:
            lines.append(head + ";\n")
        else:
            lines.append(head + " {\n" + dump(directive.block, indent + "    ") + indent + "}\n")
    return "".join(lines)


def quote(word: str) -> str:
    """A word quoted for nginx. Variables stay variables."""
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _block(reader: "_Reader", depth: int) -> tuple[Directive, ...]:
    """The directives up to the end of the text (depth 0) or the closing brace."""
    found: list[Directive] = []
    while True:
        words, end, line = reader.directive()
        if end in ("", "}"):
            if (end == "") != (depth == 0):
                raise SyntaxProblem(f"line {line}: " + ("a } is missing" if depth else "there is a } too many"))
            return tuple(found)
        block = None
        if end == "{":
            if depth == DEPTH:
                raise SyntaxProblem(f"line {line}: blocks are nested more than {DEPTH} deep")
            block = _block(reader, depth + 1)
        found.append(Directive(words[0], tuple(words[1:]), block, line))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.line = 1

    def directive(self) -> tuple[list[str], str, int]:
        """The words up to `;`, `{`, `}` or the end (""), that end, and the line where the words began."""
        words: list[str] = []
        line = self.line
        while True:
            self._skip_space()
            if not words:
                line = self.line
            if self.position >= len(self.text):
                if words:
                    raise SyntaxProblem(f"line {line}: a ; is missing after {words[0]}")
                return words, "", line
            character = self.text[self.position]
            if character in ";{}":
                if (character == "}") == bool(words):
                    raise SyntaxProblem(f"line {self.line}: this {character} is unexpected")
                self.position += 1
                return words, character, line
            words.append(self._quoted(character) if character in "\"'" else self._word())

    def _skip_space(self) -> None:
        while self.position < len(self.text):
            character = self.text[self.position]
            if character == "#":
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end
            elif character in _SPACE:
                self.line += character == "\n"
                self.position += 1
            else:
                return

    def _quoted(self, quote: str) -> str:
        start = self.position + 1
        opened = self.line
        at = start
        while at < len(self.text) and self.text[at] != quote:
            if self.text[at] == "\\":
                at += 1
            at += 1
        if at >= len(self.text):
            raise SyntaxProblem(f"line {opened}: this quote is not closed")
        raw = self.text[start:at]
        self.line += raw.count("\n")
        self.position = at + 1
        following = self.text[self.position : self.position + 1]
        if following == ")":  # nginx starts a new word there
            return _unescape(raw)
        if following not in (*_SPACE, ";", "{", ""):
            raise SyntaxProblem(f"line {self.line}: there must be a space after the quoted word")
        return _unescape(raw)

    def _word(self) -> str:
        start = at = self.position
        variable = False
        while at < len(self.text):
            character = self.text[at]
            if character == "{" and variable:  # ${name}; `variable` stays, as in nginx
                at += 1
                continue
            if at > start and (character in _SPACE or character in ";{"):
                break
            variable = character == "$"
            at += 2 if character == "\\" else 1
        raw = self.text[start:at]
        if at > len(self.text):
            raise SyntaxProblem(f"line {self.line}: the text ends after a backslash")
        self.line += raw.count("\n")
        self.position = at
        return _unescape(raw)


_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "t": "\t", "r": "\r", "n": "\n"}


def _unescape(raw: str) -> str:
    return re.sub(r"\\([\"'\\trn])", lambda found: _ESCAPES[found[1]], raw)
