"""What can be set of checks; the table [checks] of an app's document."""

from minipaas_lib import api

TABLE = "checks"
LONGEST_WAIT = 86400  # seconds
DEFAULT_WAIT = 30  # seconds; the kernel's own, see minipaas_lib.pipeline.retire


def wait_to_retire(text: str) -> int:
    """The seconds that old web processes have for requests they work on. Raises errors.UsageError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= LONGEST_WAIT):
        raise api.errors.UsageError(
            f"wait-to-retire is a number of seconds from 0 to {LONGEST_WAIT}, not {api.names.safe(text)}",
            "checks:set <app> wait-to-retire 60",
        )
    return int(text)


SETTINGS = {"wait-to-retire": wait_to_retire}
