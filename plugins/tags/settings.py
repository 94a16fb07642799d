"""What an app asks of the nodes that it runs on: metadata that they must have. Pure."""

import re

from minipaas_lib import api

TABLE = "tags"
TEXT = "[A-Za-z0-9_.-]{1,128}"


def parse(words: tuple[str, ...]) -> dict[str, str]:
    """`disk=ssd zone=b` as a table. Raises errors.UsageError."""
    found: dict[str, str] = {}
    for word in words:
        key, _, value = word.partition("=")
        if not re.fullmatch(TEXT, key) or not re.fullmatch(TEXT, value):
            raise api.errors.UsageError(f"{api.names.safe(word)} is not a tag", "give one such as: disk=ssd")
        if found.setdefault(key, value) != value:
            raise api.errors.UsageError(f"{key} is given twice, and a node has one value for it", "give it once")
    return found


def of(document: dict) -> dict[str, str]:
    """The tags in an app's document."""
    table = document.get(TABLE, {})
    return (
        {key: value for key, value in sorted(table.items()) if isinstance(value, str)}
        if isinstance(table, dict)
        else {}
    )


def put(document, tags: dict[str, str]) -> None:
    """Set the tags in an app's document."""
    document.pop(TABLE, None)
    if tags:
        document[TABLE] = tags


def fitting(machines: list, tags: dict[str, str]) -> list:
    """The machines that have all the tags."""
    return [machine for machine in machines if all(machine.metadata.get(key) == value for key, value in tags.items())]


def described(machines: list) -> str:
    """All machines with their metadata, on one line."""
    return "; ".join(
        machine.metadata.get("node", machine.id[:8])
        + ": "
        + " ".join(
            f"{key}={value}" for key, value in sorted(machine.metadata.items()) if not key.startswith("minipaas")
        )
        for machine in machines
    )
