"""Carry a change over to a document that may have been changed by others too. Pure."""


def apply_difference(document, base: dict, wanted: dict) -> None:
    """Change a tomlkit table in what differs between `base` and `wanted`, so that it says what `wanted` says there."""
    for key in base:
        if key not in wanted:
            document.pop(key, None)
    for key, value in wanted.items():
        before = base.get(key)
        if key in base and value == before:
            continue
        if isinstance(value, dict) and isinstance(document.get(key), dict):
            apply_difference(document[key], before if isinstance(before, dict) else {}, value)
        else:
            document[key] = value
