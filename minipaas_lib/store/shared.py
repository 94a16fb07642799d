"""What all backends of the store share: names, text, and messages about locks."""

import os
import time

from minipaas_lib import errors
from minipaas_lib.store.contract import EXPIRING, LONGEST, LockHolder

# "_x" is hidden in etcd, ".x" is scratch, "-x" an option.
_FIRST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_REST = _FIRST | frozenset("._-+@:")
_LONGEST = 240  # a path is also a lock's file name, and those end at 255 bytes


def is_segment(name: str) -> bool:
    """Whether `name` can be one segment of a path. (Sets, not a regex: this runs before anything else is imported.)"""
    return bool(name) and name[0] in _FIRST and _REST.issuperset(name)


def check_path(path: str) -> str:
    """Return `path` if it is a valid path of the store. Raises errors.UsageError."""
    if isinstance(path, str) and len(path) <= _LONGEST and all(map(is_segment, path.split("/"))):
        return path
    shown = printable(str(path))
    hint = "use letters, digits and . _ - + @ : , beginning with a letter or digit"
    raise errors.UsageError(f"'{shown}' cannot be the name of a document", hint)


def check_prefix(prefix: str) -> str:
    """Return `prefix` if it is empty (the whole tree) or a path. Raises errors.UsageError."""
    return prefix and check_path(prefix)


def children(paths: list[str], prefix: str) -> list[str]:
    """The names one level below `prefix` in `paths`, which are all below it."""
    start = len(prefix) + 1 if prefix else 0
    return sorted({path[start:].partition("/")[0] for path in paths})


def encode(path: str, text: str) -> bytes:
    """The bytes of a document. Raises errors.UsageError for text that is too long or not valid Unicode (from argv)."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise errors.UsageError(f"the text for {path} is not valid UTF-8 (at character {error.start + 1})") from None
    if len(data) > LONGEST:
        raise errors.UsageError(f"the text for {path} is too long: {len(data)} bytes, at most {LONGEST}")
    return data


def expires(path: str) -> bool:
    """Whether documents at `path` are signs of life, which expire."""
    return path.partition("/")[0] in EXPIRING


def check_expiry(path: str, ttl: float | None) -> None:
    """Raise errors.UsageError unless `ttl` is given exactly where documents expire."""
    if expires(path) is (ttl is None) or (ttl is not None and not 0 < ttl < 1e9):
        raise errors.UsageError(
            f"{printable(str(path))} is written {'with' if expires(path) else 'without'} a time to live"
        )


def decode(path: str, data: bytes, location: str) -> str:
    """The text of a document. Raises errors.BadConfig with the line."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise errors.BadConfig(f"{path} is not UTF-8 (line {line})", edit_hint(location, line)) from None


def printable(text: str, longest: int = 80) -> str:
    """`text` made safe for another user's terminal: no control characters, at most `longest` characters."""
    clean = "".join(char if char.isprintable() else "?" for char in text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def holder_to_text(holder: LockHolder) -> str:
    """The line of JSON that a lock carries."""
    import json

    return json.dumps(holder._asdict()) + "\n"


def holder_from_text(text: str) -> LockHolder | None:
    """The holder in a lock's line of JSON, or None if it cannot be read."""
    import json

    try:
        fields = json.loads(text)
        texts = {name: str(fields[name]) for name in LockHolder._fields if name != "pid"}
        return LockHolder(**texts, pid=int(fields["pid"]))
    except (ValueError, TypeError, KeyError):
        return None


def locked(name: str, holder: LockHolder | None) -> errors.Locked:
    """The error for a command that finds the lock `name` taken."""
    subject = name.rpartition("/")[2]
    hint = "wait for it to finish, or add --wait"
    if holder is None:
        return errors.Locked(f"{subject} is locked by another command", hint)
    day, _, clock = holder.since.partition("T")
    since = clock.rstrip("Z") if day == time.strftime("%Y-%m-%d", time.gmtime()) else f"{day} {clock.rstrip('Z')}"
    place = "" if holder.host == os.uname().nodename else f" on {printable(holder.host)}"
    owner = (
        f"'{printable(holder.command)}' (key {printable(holder.key)}, since {printable(since)} UTC, pid "
        f"{holder.pid}{place})"
    )
    return errors.Locked(f"{subject} is locked by {owner}", hint)


def edit_hint(location: str, line: int) -> str:
    """The hint to correct a document by hand; for etcd's keys, which are not files, people have their own tools."""
    return f"as root: editor +{line} {location}" if location.startswith("/") else f"correct it: edit {location}"
