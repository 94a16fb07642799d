"""The state of a plugin: a table of its own in each app's document and in the platform's."""

import re
from collections.abc import Callable

from minipaas_lib import errors, names
from minipaas_lib.bus import index, manifest
from minipaas_lib.records import apps


class Table:
    """The table of one plugin. Changing it rolls nothing out."""

    def __init__(self, plugin: str, app: str | None = None) -> None:
        self.plugin, self.app = plugin, app

    def read(self) -> dict:
        """The content of the table; empty if there is none. Raises errors.NotFound for an unknown app."""
        document = apps.platform() if self.app is None else apps.load(self.app).document
        table = document.get(self.plugin, {})
        return dict(table) if isinstance(table, dict) else {}

    def edit(self, change: Callable) -> dict:
        """Let `change` alter the table (a dict), and return it; an empty table is removed.

        `change` runs again when another writer was first. Raises errors.UsageError for a value TOML cannot hold.
        """
        result: dict = {}

        def alter(document) -> None:
            table = document.get(self.plugin, {})
            table = table.unwrap() if hasattr(table, "unwrap") else dict(table)
            change(table)
            result.clear()
            result.update(table)
            if table:
                document[self.plugin] = table
            else:
                document.pop(self.plugin, None)

        if self.app is None:
            apps.edit_platform(alter)
        else:
            apps.edit(self.app, alter)
        return result

    def set(self, **values) -> None:
        """Set keys of the table."""
        self.edit(lambda table: table.update(values))

    def unset(self, *keys: str) -> None:
        """Remove keys of the table; absent ones are ignored."""
        self.edit(lambda table: [table.pop(key, None) for key in keys])


def plugin_table(plugin: str, app: str | None = None) -> Table:
    """The table of an installed plugin in the app's document or, without an app, in the platform's.

    Raises errors.Denied for any name but that of a third-party plugin: the other tables are not for plugins.
    """
    if not re.fullmatch(manifest.NAME, plugin) or plugin not in index.load().installed:
        raise errors.Denied(f"there is no table of a plugin {names.safe(plugin)}", "plugin:list")
    return Table(plugin, app)
