"""What a Dockerfile has docker fetch: the URLs of ADD. docker asks from the host itself, where an app has no place.

Refused is what can be read: an address of this host itself, a name that leads to one now, an inner port of a cluster.
What docker looks up by itself later (a redirect, a name that changes, a variable of the base image) it looks up
unasked.
"""

import json
import re
import threading
import time
from collections.abc import Iterator

from minipaas_lib import api
from plugins.builder_dockerfile import sources

_MOST = 50  # hosts of one Dockerfile
_FILLED = 20_000  # words with a value filled in, of one Dockerfile
_LONGEST = 2000  # characters of one; the host stands at its beginning
_UNTOLD = "\0"  # stands for a `$` in the value of a variable
_PATIENCE = 3.0  # seconds that names are looked up for, all together
_URL = re.compile(r"(https?|git|ssh|ftp)://(?:[^/?#\s]*@)?(\[[^\]]*\]|[^/?#,:\]\s]*)(?::([0-9]{1,5}))?", re.IGNORECASE)
_SCP_LIKE = re.compile(r"[A-Za-z0-9._-]+@([A-Za-z0-9.-]+):")
_PORTS = {"http": 80, "https": 443, "git": 9418, "ssh": 22, "ftp": 21}


def check(text: str, arguments: dict[str, str]) -> None:
    """Refuse a Dockerfile whose ADD asks what only this host may. Raises errors.BuildFailed."""
    hosts = sorted({place for word in added(text, arguments) if (place := place_of(word))[0]})
    if len(hosts) > _MOST:
        raise api.errors.BuildFailed(
            f"the Dockerfile fetches from {len(hosts)} hosts; the limit is {_MOST}", "name fewer"
        )
    refusals: dict[tuple[str, int], str] = {}
    threads = [threading.Thread(target=_look, args=(place, refusals), daemon=True) for place in hosts]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + _PATIENCE
    for thread in threads:  # a name that nobody knows soon is docker's to look up
        thread.join(max(deadline - time.monotonic(), 0.0))
    for place in hosts:
        if place in refusals:
            hint = "fetch it in a RUN step, which has the network that an app has, or commit the file and COPY it"
            raise api.errors.BuildFailed(f"ADD in the Dockerfile cannot be done: {refusals[place]}", hint)


def _look(place: tuple[str, int], refusals: dict[tuple[str, int], str]) -> None:
    try:
        api.kernel.destinations.resolve(*place)
    except api.kernel.destinations.Refused as error:
        refusals[place] = error.message
    except api.errors.MinipaasError:
        pass


def place_of(word: str) -> tuple[str, int]:
    """The host and port that a source of ADD leads to; ("", 0) for a file of the context."""
    if found := _URL.match(word):
        return found[2].strip("[]"), int(found[3] or _PORTS[found[1].lower()])
    found = _SCP_LIKE.match(word)
    return (found[1], 22) if found else ("", 0)


def added(text: str, arguments: dict[str, str]) -> list[str]:
    """The words of every ADD, variables filled in as far as the Dockerfile says them.

    Raises errors.BuildFailed if that makes too many.
    """
    return list(dict.fromkeys(word for view in sources.views(text) for word in _View(arguments).words(view)))


class _View:
    """One way to read a Dockerfile. A variable may have any value that a line before gave it.

    Which one counts depends on the stage, on ENV and ARG, and on where a here-document ends, and parsers differ in
    that.
    """

    def __init__(self, arguments: dict[str, str]) -> None:
        self._arguments, self._count = arguments, 0
        self._values: dict[str, dict[str, None]] = {}  # by name; without `$`, since docker fills in only once

    def words(self, lines: list[str]) -> list[str]:
        entries = list(_entries(lines))
        needed = _needed(entries)  # others, such as PATH, are made of themselves again and again
        found: list[str] = []
        for verb, name, value in entries:
            if verb == "arg":
                value = self._arguments.get(name, value)
            if value is None:
                continue
            if verb == "add":
                found += self._filled(value)
            elif name in needed:
                self._note(name, value)
        return found

    def _note(self, name: str, value: str) -> None:
        self._values.setdefault(name, {}).update(
            dict.fromkeys(filled.replace("$", _UNTOLD) for filled in self._filled(value))
        )

    def _filled(self, word: str) -> list[str]:
        """The word with each value that its variables may have; unknown variables stay."""
        done, waiting = [], [word]
        while waiting:
            self._count += 1
            if self._count > _FILLED:
                raise api.errors.BuildFailed(
                    "the variables of the Dockerfile have too many values to find out what ADD fetches",
                    "write the URL itself",
                )
            current = waiting.pop()
            for match in sources.VARIABLE.finditer(current):
                if choices := self._choices(match):
                    waiting += [
                        (current[: match.start()] + choice + current[match.end() :])[:_LONGEST] for choice in choices
                    ]
                    break
            else:
                done.append(current)
        return done

    def _choices(self, match: re.Match) -> list[str]:
        kind, other = match[2] or "", match[3] or ""
        if kind.endswith("+"):
            return [other, ""]
        return [*self._values.get(match[1] or match[4], ()), *([other] if kind.endswith("-") else [])]


def _entries(lines: list[str]) -> Iterator[tuple[str, str, str | None]]:
    """(add, "", a word), (env, a name, its value) and (arg, a name, its default or None), in the order of the lines."""
    for line in lines:
        verb, rest = sources.instruction(line)
        if verb == "add":
            yield from (("add", "", word.lstrip("[")) for word in [*sources.words(rest), *_of_json(line)])
        elif verb == "arg":
            for name, given, value in (piece.partition("=") for piece in sources.words(rest)):
                yield "arg", name, value if given else None
        elif verb == "env":
            pieces = sources.words(rest)
            if pieces and "=" not in pieces[0]:  # the old form: ENV name value
                yield "env", pieces[0], " ".join(pieces[1:])
            else:
                yield from (
                    ("env", name, value) for name, given, value in (piece.partition("=") for piece in pieces) if given
                )


def _needed(entries: list[tuple[str, str, str | None]]) -> set[str]:
    """The names of the variables that the words of ADD are made of, and those of their values."""
    made_of: dict[str, set[str]] = {}
    for verb, name, value in entries:
        made_of.setdefault("" if verb == "add" else name, set()).update(
            match[1] or match[4] for match in sources.VARIABLE.finditer(value or "")
        )
    needed: set[str] = set()
    waiting = [""]
    while waiting:
        new = made_of.get(waiting.pop(), set()) - needed
        needed |= new
        waiting += new
    return needed


def _of_json(line: str) -> list[str]:
    """The words of the form ADD ["source", "target"], in which JSON's own escapes count."""
    try:
        words = json.loads(line[line.index("[") : line.rindex("]") + 1])
    except (ValueError, RecursionError):
        return []
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
