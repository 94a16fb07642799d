"""How many releases an app keeps: the table [releases] of its document or, for all apps, of the platform's."""

from minipaas_lib import api

TABLE = "releases"
KEEP = 10  # releases that were live and can be gone back to at once
MOST = 1000


def keep(app) -> int:
    """How many of its releases the app keeps: as set for it, for all apps, or the default."""
    everywhere = api.kernel.platform().get(TABLE, {})
    return app.table(TABLE).get("keep", everywhere.get("keep", KEEP))


def parse_keep(text: str) -> int:
    """Raises errors.UsageError."""
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 0 < int(text) <= MOST):
        raise api.errors.UsageError(
            f"keep must be a number of releases from 1 to {MOST}, not {api.names.safe(text)}",
            "releases:set <app> keep 10",
        )
    return int(text)


def write(document, value: int | None) -> None:
    """Put the number into a document; None clears it."""
    table = document.setdefault(TABLE, {})
    if value is None:
        table.pop("keep", None)
    else:
        table["keep"] = value
    if not table:
        del document[TABLE]
