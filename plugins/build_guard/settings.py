"""What can be set of the guard: the table [guard] of an app's document and of the platform's. Pure."""

import re

from minipaas_lib import api

TABLE = "guard"
MEASURES = ("min-free-disk", "min-free-memory", "min-free-inodes")  # per app too
EVERYWHERE = ("build-memory", "keep-cache")  # all builds share them
PROPERTIES = (*MEASURES, *EVERYWHERE)
KEEP_CACHE = 1 << 30  # bytes of build cache that pruning leaves at first
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse(key: str, text: str) -> int | str:
    """The value of a property as it is stored: a number, or "off" or "auto" for build-memory.

    Raises errors.UsageError.
    """
    if key not in PROPERTIES:
        raise api.errors.UsageError(f"there is no {api.names.safe(key)} to set", "one of: " + ", ".join(PROPERTIES))
    if key == "build-memory" and text in ("auto", "off"):
        return text
    if key == "min-free-inodes":
        found = re.fullmatch("([0-9]{1,12})()", text)
    else:
        found = re.fullmatch("([0-9]{1,12})([kmgt]?)b?", text.lower())
    if not found:
        kind = "a number" if key == "min-free-inodes" else "a size such as 500m or 2g"
        kind += ", auto or off" if key == "build-memory" else ""
        raise api.errors.UsageError(f"{key} is {kind}, not {api.names.safe(text)}", f"guard:set --global {key} 500m")
    value = int(found[1]) * _UNITS[found[2]]
    if key == "build-memory" and value < 16 << 20:
        raise api.errors.UsageError("a build needs at least 16m of memory", f"guard:set --global {key} 256m")
    return value


def size(count: int) -> str:
    """A number of bytes for people: `340 MB`, `1.5 GB`."""
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GB"
    return f"{max(count, 0) / (1 << 20):.0f} MB"
