"""The healthchecks of app.json (the fields and defaults of Dokku's file format), validated and complete.

A release stores a check as a plain table, so that it can be read back in years; `Check` is what deploys use.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any

from minipaas_lib import errors, names

TYPES = ("startup", "readiness", "liveness")
KINDS = ("command", "path", "listening", "uptime")
LONGEST = 3600  # seconds: any one duration of a check
MOST_ATTEMPTS = 1000
MOST_CHECKS = 20  # of one process type
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # a header's name, RFC 9110 section 5.6.2


@dataclass(frozen=True)
class Check:
    """One check of a process type. Durations are in seconds."""

    type: str  # startup and readiness: before traffic; liveness: while it runs
    name: str
    kind: str  # command, path (an HTTP request), listening or uptime
    command: tuple[str, ...] = ()
    path: str = ""
    port: int = 0  # 0: the PORT of the release
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    content: str = ""  # what the answer must contain
    uptime: float = 0
    attempts: int = 3
    timeout: float = 5  # of one attempt
    wait: float = 5  # between two attempts
    initial_delay: float = 0  # from the start of the container to the first attempt
    warn: bool = False  # a failure is only reported

    def to_document(self) -> dict:
        """The check as a TOML-able dict, without defaults."""
        plain = {**asdict(self), "command": list(self.command), "headers": [list(pair) for pair in self.headers]}
        usual = asdict(Check("", "", ""))
        return {
            key: value
            for key, value in plain.items()
            if key in ("attempts", "timeout", "wait") or value != usual[key] and value != []
        }

    @classmethod
    def from_document(cls, document: dict) -> "Check":
        known = {key: value for key, value in document.items() if key in cls.__dataclass_fields__}
        known["command"] = tuple(known.get("command", ()))
        known["headers"] = tuple((name, value) for name, value in known.get("headers", ()))
        return cls(**known)


def parse(section: dict[str, list[dict]]) -> dict[str, list[Check]]:
    """The checks of each process type in app.json's `healthchecks`. Raises errors.InvalidFile.

    Unknown keys are ignored, `onFailure` among them: a repository must not give orders to the host.
    """
    parsed = {}
    for process_type, entries in section.items():
        if len(entries) > MOST_CHECKS:
            raise _invalid(
                f"healthchecks.{process_type} has {len(entries)} checks; the limit is {MOST_CHECKS}",
                "join some of them",
            )
        parsed[process_type] = [
            _check(f"healthchecks.{process_type}[{index}]", entry) for index, entry in enumerate(entries)
        ]
    return {process_type: checks for process_type, checks in parsed.items() if checks}


def before_traffic(checks: list[Check]) -> list[Check]:
    """The checks that a new process has to pass, in order: startup, then readiness."""
    return [check for stage in ("startup", "readiness") for check in checks if check.type == stage]


def liveness(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.type == "liveness"]


def _check(where: str, entry: dict) -> Check:
    kind = _kind(where, entry)
    check = Check(
        type=_choice(f"{where}.type", entry.get("type") or "startup", TYPES),
        name=_text(f"{where}.name", entry.get("name"), 100) or kind,
        kind=kind,
        command=_command(f"{where}.command", entry.get("command")) if kind == "command" else (),
        path=_path(f"{where}.path", entry["path"]) if kind == "path" else "",
        port=_integer(f"{where}.port", entry.get("port"), 1, 65535, 0),
        scheme=_choice(f"{where}.scheme", str(entry.get("scheme") or "http").lower(), ("http", "https")),
        headers=_headers(f"{where}.httpHeaders", entry.get("httpHeaders")),
        content=_text(f"{where}.content", entry.get("content"), 10_000),
        uptime=_seconds(f"{where}.uptime", entry.get("uptime"), 0),
        attempts=_integer(f"{where}.attempts", entry.get("attempts"), 1, MOST_ATTEMPTS, 3),
        timeout=_seconds(f"{where}.timeout", entry.get("timeout"), 5, least=1),
        wait=_seconds(f"{where}.wait", entry.get("wait"), 5),
        initial_delay=_seconds(f"{where}.initialDelay", entry.get("initialDelay"), 0),
        warn=_boolean(f"{where}.warn", entry.get("warn")),
    )
    _check_liveness(where, check)
    return check


def _kind(where: str, entry: dict) -> str:
    """The kind of a check, from the only key that names one."""
    _boolean(f"{where}.listening", entry.get("listening"))
    kinds = [kind for kind in KINDS if entry.get(kind) not in (None, False, "", [], 0)]
    if len(kinds) > 1:
        raise _invalid(f"{where} has {kinds[0]} and {kinds[1]}, and a check does one thing", "make two checks of it")
    if kinds:
        return kinds[0]
    if any(entry.get(key) for key in ("content", "httpHeaders", "scheme")):
        raise _invalid(f"{where} asks for an answer and has no path", 'add: "path": "/"')
    raise _invalid(
        f"{where} does not say what to check",
        'add one of: "path": "/health", "command": [...], "listening": true, "uptime": 10',
    )


def _check_liveness(where: str, check: Check) -> None:
    """Refuse liveness checks that make no sense repeatedly inside the container."""
    if check.type != "liveness":
        return
    if check.kind == "uptime":
        raise _invalid(
            f"{where} is a liveness check of uptime, which a process that hangs passes",
            "use path, command or listening",
        )
    if check.scheme == "https":
        raise _invalid(
            f"{where} is a liveness check over https, which is not supported", 'use "scheme": "http", or a command'
        )
    if check.warn:
        raise _invalid(f"{where} is a liveness check that only warns, which nobody would see", "remove warn")


def _command(where: str, value: Any) -> tuple[str, ...]:
    words = ["/bin/sh", "-c", value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words) or not words[0]:
        raise _invalid(f"{where} must be a list of words", 'write it as: ["/app/check", "now"]')
    for word in words:
        _text(where, word, 10_000)
    return tuple(words)


def _path(where: str, value: Any) -> str:
    text = _text(where, value, 2000)
    if not re.fullmatch(r"/[!-~]*", text):
        raise _invalid(
            f"{where} must start with / and contain no space", 'write it as: "/health", with %20 for a space'
        )
    return text


def _headers(where: str, value: Any) -> tuple[tuple[str, str], ...]:
    if value in (None, []):
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value) or len(value) > 50:
        raise _invalid(f"{where} must be a list of objects", 'write it as: [{"name": "Host", "value": "example.com"}]')
    pairs = []
    for item in value:
        name, text = item.get("name"), _text(where, item.get("value"), 2000)
        if not isinstance(name, str) or not re.fullmatch(_TOKEN, name):
            raise _invalid(f"{where}: {names.safe(str(name))} is not the name of a header", "correct it")
        if not re.fullmatch(r"[\t -~]*", text):
            raise _invalid(
                f"{where}: the value of {name} contains a character that a header cannot contain", "use plain ASCII"
            )
        pairs.append((name, text.strip()))
    return tuple(pairs)


def _text(where: str, value: Any, limit: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _invalid(f"{where} must be text", "put it in double quotes")
    if any(character < " " and character not in "\t\n" or "\ud800" <= character <= "\udfff" for character in value):
        raise _invalid(f"{where} contains a character that is not text", "remove it")
    if len(value) > limit:
        raise _invalid(f"{where} is longer than {limit} characters", "shorten it")
    return value


def _seconds(where: str, value: Any, usual: float, least: float = 0) -> float:
    if value is None:
        return usual
    if type(value) not in (int, float) or not least <= value <= LONGEST:  # bool is an int to isinstance; NaN fails too
        raise _invalid(f"{where} must be a number of seconds from {least} to {LONGEST}", "correct it")
    return value


def _integer(where: str, value: Any, least: int, most: int, usual: int) -> int:
    if value is None or value == 0 and type(value) is int and usual == 0:
        return usual
    if type(value) is not int or not least <= value <= most:
        raise _invalid(f"{where} must be a whole number from {least} to {most}", "correct it")
    return value


def _boolean(where: str, value: Any) -> bool:
    if value not in (None, True, False) or type(value) in (int, float):
        raise _invalid(f"{where} must be true or false, without quotes", "correct it")
    return bool(value)


def _choice(where: str, value: Any, choice: tuple[str, ...]) -> str:
    if value not in choice:
        raise _invalid(f"{where} must be one of: {', '.join(choice)}", "correct it")
    return value


def _invalid(message: str, hint: str) -> errors.InvalidFile:
    return errors.InvalidFile(f"app.json: {message}", f"{hint}; then commit and push again")
