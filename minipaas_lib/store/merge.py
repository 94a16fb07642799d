"""Apply a change to a document that others may have changed too. Pure."""

from collections.abc import Callable


def apply_difference(document, base: dict, target: dict, put: Callable | None = None) -> None:
    """Change in `document` what differs between `base` and `target`, to the values of `target`.

    put: a function (table, new values by key), for tables other than plain dicts.
    """
    for key in base:
        if key not in target:
            document.pop(key, None)
    fresh = {}
    for key, value in target.items():
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


def same(left, right) -> bool:
    """Whether two values are written alike: 1 is neither true nor 1.0."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, type(right)) and isinstance(right, type(left)) and left == right
