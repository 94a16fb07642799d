"""What can be set of checks; the table [checks] of an app's document and of the platform's."""

from minipaas_lib import api

TABLE = "checks"
MODES = "modes"  # process type, or ALL -> enabled, disabled or skipped
ALL = "_all_"
LONGEST_WAIT = 86400  # seconds
DEFAULT_WAIT = 30  # seconds; the kernel's own, see minipaas_lib.deploy.drain


def wait_to_retire(text: str) -> int:
    """The seconds that old web processes have for requests they work on. Raises errors.UsageError."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) <= LONGEST_WAIT):
        raise api.errors.UsageError(
            f"wait-to-retire must be a number of seconds from 0 to {LONGEST_WAIT}, not {api.names.safe(text)}",
            "checks:set <app> wait-to-retire 60",
        )
    return int(text)


SETTINGS = {"wait-to-retire": wait_to_retire}


def drain(app) -> int | None:
    """The seconds that were set for the app, else for all apps, else None."""
    own = app.table(TABLE).get("wait-to-retire")
    return platform().get("wait-to-retire") if own is None else own


def platform() -> dict:
    """The table for all apps."""
    return dict(api.kernel.platform().get(TABLE, {}))


def mode(app, process_type: str) -> str:
    """How processes of a type are checked: enabled, disabled or skipped."""
    modes = app.table(TABLE).get(MODES, {})
    return modes.get(process_type, modes.get(ALL, "enabled"))


def in_mode(app, wanted: str) -> list[str]:
    """The process types with a mode; `_all_` stands for those that are not named."""
    modes = app.table(TABLE).get(MODES, {})
    return sorted(kind for kind, value in modes.items() if value == wanted)


def choose(document, wanted: str, kinds: list[str]) -> None:
    """Set the mode of process types in an app's document; of all of them when none is named."""
    table = document.setdefault(TABLE, {})
    modes = dict(table.get(MODES, {})) if kinds else {}
    modes |= dict.fromkeys(kinds or [ALL], wanted)
    others = modes.get(ALL, "enabled")
    modes = {kind: value for kind, value in modes.items() if value != others or (kind == ALL and value != "enabled")}
    put(document, MODES, modes or None)


def put(document, key: str, value) -> None:
    """Set a key of the table, or clear it with None; an empty table goes."""
    table = document.setdefault(TABLE, {})
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    if not table:
        del document[TABLE]


def kinds(words: tuple[str, ...]) -> list[str]:
    """Process types given as words or joined by commas. Raises errors.UsageError."""
    return list(dict.fromkeys(api.names.process_type(kind) for word in words for kind in word.split(",") if kind))
