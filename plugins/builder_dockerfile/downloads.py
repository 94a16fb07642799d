"""What a Dockerfile has docker fetch: the URLs of ADD. docker asks from the host itself, where an app has no place.

Refused is what can be read: an address of this host's own, a name that leads to one now, an inner port of a cluster. What
docker looks up by itself later (a redirect, a name that changes, a variable of the base image) it looks up unasked.
"""

import json
import re
import threading
import time

from minipaas_lib import api
from plugins.builder_dockerfile import sources

_MOST = 50  # hosts of one Dockerfile
_PATIENCE = 3.0  # seconds that names are looked up for, all together
_URL = re.compile(r"(https?|git|ssh|ftp)://(?:[^/?#\s]*@)?(\[[^\]]*\]|[^/?#,:\]\s]*)(?::([0-9]{1,5}))?", re.IGNORECASE)
_SCP_LIKE = re.compile(r"[A-Za-z0-9._-]+@([A-Za-z0-9.-]+):")
_PORTS = {"http": 80, "https": 443, "git": 9418, "ssh": 22, "ftp": 21}


def check(text: str, arguments: dict[str, str]) -> None:
    """Refuse a Dockerfile whose ADD asks what only this host may. Raises errors.BuildFailed."""
    hosts = sorted({place for word in added(text, arguments) if (place := place_of(word))[0]})
    if len(hosts) > _MOST:
        raise api.errors.BuildFailed(f"the Dockerfile fetches from {len(hosts)} hosts, and {_MOST} is the most", "name fewer")
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
        api.destinations.resolve(*place)
    except api.destinations.Refused as error:
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
    """The words of every ADD, variables filled in as far as the Dockerfile says them."""
    return list(dict.fromkeys(word for view in sources.views(text) for word in _of_view(view, arguments)))


def _of_view(lines: list[str], arguments: dict[str, str]) -> list[str]:
    found: list[str] = []
    of_args: dict[str, str] = {}
    of_env: dict[str, str] = {}  # which go before those of ARG
    for line in lines:
        verb, rest = sources.instruction(line)
        known = of_args | of_env
        if verb == "arg":
            for piece in sources.words(rest):
                name, given, value = piece.partition("=")
                if name in arguments or given:
                    of_args[name] = arguments.get(name, sources.filled(value, known))
        elif verb == "env":
            pieces = sources.words(rest)
            pairs = [piece.partition("=") for piece in pieces if "=" in piece]
            if pieces and "=" not in pieces[0]:  # the old form: ENV name value
                pairs = [(pieces[0], "=", " ".join(pieces[1:]))]
            of_env |= {name: sources.filled(value, known) for name, _, value in pairs}
        elif verb == "add":
            found += [sources.filled(word.lstrip("["), known) for word in [*sources.words(rest), *_of_json(line)]]
    return found


def _of_json(line: str) -> list[str]:
    """The words of the form ADD ["source", "target"], in which JSON's own escapes count."""
    try:
        words = json.loads(line[line.index("[") : line.rindex("]") + 1])
    except (ValueError, RecursionError):
        return []
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
