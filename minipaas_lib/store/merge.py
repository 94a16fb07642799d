"""Carry a change over to a document that may have been changed by others too. Pure."""

from collections.abc import Callable


def apply_difference(document, base: dict, wanted: dict, put: Callable | None = None) -> None:
    """Change a table in what differs between `base` and `wanted`, so that it says what `wanted` says there.

    put: a function (table, new values by key), for tables that are no plain ones.
    """
    for key in base:
        if key not in wanted:
            document.pop(key, None)
    fresh = {}
    for key, value in wanted.items():
        before = base.get(key)
        if key in base and same(value, before):
            continue
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            apply_difference(document[key], before if isinstance(before, dict) else {}, value, put)
        else:
            fresh[key] = value
    if put:
        put(document, fresh)
        return
    for key, value in fresh.items():
        document[key] = value


def same(one, other) -> bool:
    """Whether two values are written alike: 1 is not true, and not 1.0 either."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, type(other)) and isinstance(other, type(one)) and one == other
