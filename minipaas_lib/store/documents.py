"""TOML documents of the store: read with tomllib, edited with tomlkit, so that a person's comments survive.

Values are what TOML and JSON share (strings, whole and finite numbers, booleans, lists, tables) and TOML's dates.
"""

import os
import time
from collections.abc import Callable

from minipaas_lib import errors
from minipaas_lib.store import merge, toml
from minipaas_lib.store.contract import ABSENT, Store
from minipaas_lib.store.shared import edit_hint, printable

_EDIT_LIMIT = 60  # tries; each lost one means that another writer made progress


def read(store: Store, path: str) -> dict:
    """The data of the document at `path`. Raises errors.NotFound, errors.BadConfig with the line."""
    return parse(store, path, store.read(path).text)


def write(store: Store, path: str, data: dict, if_revision: str | None = None, ttl: float | None = None) -> str:
    """Replace the document and its comments by `data` and return the new revision; `ttl` as in Store.write.

    Raises errors.UsageError for a value that TOML cannot hold, and what Store.write raises.
    """
    _check(path, data)
    text = toml.dumps(data)
    return store.write(path, text, if_revision) if ttl is None else store.write(path, text, if_revision, ttl)


def edit(store: Store, path: str, change: Callable[[dict], object], create: bool = False) -> dict:
    """Let `change` alter the data of the document at `path`, write it if it differs, and return the new data.

    `change` runs again on the newest document when another writer was first, so it must only alter its argument.
    Raises errors.NotFound (unless `create`), errors.BadConfig, errors.UsageError for a value that TOML cannot hold,
    errors.Conflict after many lost tries, and whatever `change` raises (with nothing written).
    """
    for attempt in range(_EDIT_LIMIT):
        old, revision = _present(store, path, create)
        text, data = _changed(store, path, old, change)
        if text == old and revision != ABSENT:
            return data
        try:
            store.write(path, text, revision)
            return data
        except errors.Conflict:
            time.sleep((os.getpid() * 7 + attempt) % 13 * 0.002)  # step out of the others' rhythm
    raise errors.Conflict(f"other commands keep changing {path}", "repeat the command")


def preview(store: Store, path: str, change: Callable) -> dict:
    """The data the document at `path` would hold after `change`; nothing is written. Raises as edit does."""
    return _changed(store, path, store.read(path).text, change)[1]


def _tomlkit():
    from minipaas_lib import vendor

    vendor.activate()
    import tomlkit

    return tomlkit


def _present(store: Store, path: str, create: bool) -> tuple[str, str]:
    try:
        return store.read(path)
    except errors.NotFound:
        if not create:
            raise
        return "", ABSENT


def _changed(store: Store, path: str, old: str, change: Callable) -> tuple[str, dict]:
    """The text and data after `change`."""
    data = parse(store, path, old)
    former = parse(store, path, old)
    change(data)
    _check(path, data)
    if merge.same(data, former):
        return old, data
    try:
        text = _rewritten(old, former, data)
    except Exception:  # a hand-written layout that tomlkit cannot handle: the data matters more than the comments
        text = ""
    return text if _says(text, data) else toml.dumps(data), data


def _rewritten(old: str, former: dict, data: dict) -> str:
    """The text `old`, changed only where `former` and `data` differ."""
    tomlkit = _tomlkit()
    document = tomlkit.parse(old)

    def put(table, fresh: dict) -> None:
        for key, value in fresh.items():
            if isinstance(value, dict):
                value = tomlkit.parse(toml.dumps({"x": value}))["x"]
            elif isinstance(value, list):  # tomlkit would take quadratic time
                value = tomlkit.parse(f"x = {toml.value_of(value)}\n")["x"]
            table[key] = value

    merge.apply_difference(document, former, data, put)
    return tomlkit.dumps(document)


def _says(text: str, data: dict) -> bool:
    import tomllib

    try:
        return merge.same(tomllib.loads(text), data)
    except ValueError:
        return False


def parse(store: Store, path: str, text: str) -> dict:
    """The data of a text that is, or was, the document at `path`. Raises errors.BadConfig with the line."""
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one; so is what int() says of a number of 5,000 digits
        raise _bad(store, path, str(error), _line(text, str(error))) from None
    except RecursionError:
        raise _bad(store, path, "it is nested too deeply", 1) from None


def _line(text: str, message: str) -> int:
    """The line that tomllib's message names: "... (at line 3, column 5)" or "... (at end of document)"."""
    _, marker, rest = message.rpartition("(at line ")
    number = rest.partition(",")[0]
    return int(number) if marker and number.isdecimal() else max(len(text.splitlines()), 1)


def _bad(store: Store, path: str, reason: str, line: int) -> errors.BadConfig:
    reason = printable(reason.rpartition(" (at ")[0] or reason)
    return errors.BadConfig(f"{path} cannot be read, line {line}: {reason}", edit_hint(store.location(path), line))


def _check(path: str, data: object, name: str = "") -> None:
    """Raise errors.UsageError for a value that TOML would not preserve."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise errors.UsageError(f"{path}: the name {key!r} is not a string")
            _check_text(path, key, name or "a name")
            _check(path, value, f"{name}.{key}" if name else key)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            _check(path, value, f"{name}[{index}]")
    elif isinstance(data, str):
        _check_text(path, data, name)
    elif data is None:
        raise errors.UsageError(f"{path}: {printable(name)} has no value (None)", "leave it out, or unset it")
    elif isinstance(data, float) and data - data != 0.0:
        raise errors.UsageError(f"{path}: {printable(name)} is not a finite number")
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        raise errors.UsageError(f"{path}: {printable(name)} is too large a number (64 bits)")
    elif not isinstance(data, (int, float)) and not hasattr(data, "isoformat"):
        raise errors.UsageError(f"{path}: {printable(name)} has a type that TOML does not have ({type(data).__name__})")


def _check_text(path: str, text: str, name: str) -> None:
    if "\0" in text:
        raise errors.UsageError(f"{path}: {printable(name)} contains a NUL character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise errors.UsageError(f"{path}: {printable(name)} is not valid UTF-8") from None
