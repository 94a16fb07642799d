"""Which images a Dockerfile builds on. Pure.

Parsers of Dockerfiles differ (how lines continue, here-documents, quotes), so a text is read in every way that one of
them may: what is found too much harms nobody, because it only matters where it is another app's image. Words end at
what Go takes for a space (unicode.IsSpace); Python's own split() and strip() know more of them.
"""

import re

_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
VARIABLE = re.compile(r"\$(?:\{(\w+)(?:(:?[-+?])([^}$]*))?\}|(\w+))")
# The line continues: of docker up to 20.10, and of later ones, where an escaped escape is none.
_CONTINUES = [
    re.compile(start + escape + r"[ \t]*$") for escape in (r"\\", "`") for start in ("", f"(?:^|[^{escape}])")
]
_LONGEST = 2000  # characters of a reference; values that double each other would fill the memory


def references(text: str, arguments: dict[str, str]) -> list[str]:
    """The images that it names in FROM, COPY --from and RUN --mount=from, variables filled in; stages are left out.

    A reference that cannot be told is given as it stands, with its `$`.
    """
    return list(dict.fromkeys(found for view in views(text) for found in _of_view(view, arguments)))


def views(text: str) -> list[list[str]]:
    """The instructions of a Dockerfile, one a line, in every way that a parser may join its lines."""
    lines = re.split(r"\r?\n", text.lstrip("\ufeff"))
    return [lines, *(_joined(lines, pattern) for pattern in _CONTINUES)]


def instruction(line: str) -> tuple[str, str]:
    """An instruction's word in lower case, and the rest without quotes and escapes; of ONBUILD what it triggers."""
    word, _, rest = _bare(line).partition(" ")
    while word == "onbuild":
        word, _, rest = rest.partition(" ")
        word = word.lower()
    return word, rest


def is_id(reference: str) -> bool:
    """Whether it may be the ID of an image and not a name."""
    return bool(re.fullmatch(r"(sha256:)?[0-9a-f]{4,64}", reference.lower()))


def triggers(instructions: list[str]) -> list[str]:
    """The images that the ONBUILD instructions of an image name."""
    return [found for line in instructions for found in _of_view([line], {})]


def _joined(lines: list[str], continues: re.Pattern) -> list[str]:
    """The instructions that lines make when they continue by that pattern; comments and empty lines are skipped."""
    found: list[str] = []
    pending: list[str] | None = None
    for line in lines:
        if line.lstrip(_SPACES).startswith("#") or (pending is not None and not line.strip(_SPACES)):
            continue
        pending = [] if pending is None else pending
        if continues.search(line):
            pending.append(line.rstrip(" \t")[:-1])
            continue
        found.append("".join([*pending, line]))
        pending = None
    return found if pending is None else [*found, "".join(pending)]


def _of_view(lines: list[str], arguments: dict[str, str]) -> list[str]:
    found: list[str] = []
    stages: set[str] = set()
    known: dict[str, str] = {}
    began = False
    for line in lines:
        word, rest = instruction(line)
        if word == "arg" and not began:
            for piece in words(rest):
                name, given, value = piece.partition("=")
                if name in arguments or given:
                    known[name] = arguments.get(name, filled(value, known))
        elif word == "from":
            began = True
            pieces = [piece for piece in words(rest) if not piece.startswith("--")]
            if pieces and (image := filled(pieces[0], known)).lower() not in stages | {"scratch"}:
                found.append(image)
            if len(pieces) > 2 and pieces[1].lower() == "as":
                stages.add(filled(pieces[2], known).lower())
        elif word in ("copy", "add", "run"):
            found += [
                image for image in _flags(rest) if image.lower() not in stages and not re.fullmatch("[0-9]{1,3}", image)
            ]
    return found


def _flags(rest: str) -> list[str]:
    """The images of --from=... and of --mount=...,from=... at the beginning of an instruction's arguments."""
    found = []
    for word in words(rest):
        if not word.startswith("--"):
            break
        key, _, value = word[2:].partition("=")
        if key.lower() == "from":
            found.append(value)
        elif key.lower() == "mount":
            fields = (field.partition("=") for field in value.split(","))
            found += [named for name, _, named in fields if name.strip(_SPACES).lower() == "from"]
    return [image for image in found if image]


def words(text: str) -> list[str]:
    """What follows an instruction, word by word."""
    return [word for word in text.split(" ") if word]


def _bare(line: str) -> str:
    """The line without quotes and escapes, its first word in lower case, one kind of space."""
    plain = re.sub(r"""["'\\`]""", "", re.sub(f"[{_SPACES}\0]+", " ", line)).strip(" ")
    word, space, rest = plain.partition(" ")
    return word.lower() + space + rest


def filled(word: str, known: dict[str, str]) -> str:
    """The word with the variables that are known; the others stay, and so do all where it would grow too long."""

    def fill(match: re.Match) -> str:
        name, kind, other = match[1] or match[4], match[2] or "", match[3] or ""
        value = known.get(name)
        if kind.endswith("-"):
            return other if value is None or (not value and ":" in kind) else value
        if kind.endswith("+"):
            return "" if value is None or (not value and ":" in kind) else other
        return match[0] if value is None else value

    filled = VARIABLE.sub(fill, word)
    return filled if len(filled) <= _LONGEST else word
