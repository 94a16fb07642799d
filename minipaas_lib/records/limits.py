"""Limits for the size of pushes and uploads: the table [limits] of the platform's document."""

from minipaas_lib.model.entries import Limits
from minipaas_lib.records import apps

TABLE = "limits"


def limits() -> Limits:
    """The limits as an admin set them, with defaults for those that are missing or unusable."""
    table = apps.platform().get(TABLE, {})
    default = Limits()
    known = {key: table.get(key) if isinstance(table, dict) else None for key in ("entries", "size")}
    return Limits(
        **{key: value if type(value) is int and value > 0 else getattr(default, key) for key, value in known.items()}
    )
