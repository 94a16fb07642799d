"""The folder of third-party plugins, paths.plugins(): one folder each, and the index of those that are enabled.

<name>/                  the plugin; owned by root, readable for all
<name>/.installed.json   where it came from, which commit, when
<name>/.disabled         exists while it is disabled
.former/<name>/          the version before the last install, update or uninstall
index                    what bus.index reads, made from all of these
"""

import json
import marshal
import os

from minipaas_lib import errors, output, paths
from minipaas_lib.bus import catalog, manifest
from minipaas_lib.toolkit import durable_file

RECORD = ".installed.json"
DISABLED = ".disabled"
FORMER = ".former"


def folder(name: str) -> str:
    return os.path.join(paths.plugins(), name)


def names() -> list[str]:
    """The names of all installed plugins, sorted."""
    try:
        entries = sorted(os.listdir(paths.plugins()))
    except FileNotFoundError:
        return []
    return [name for name in entries if not name.startswith(".") and os.path.isdir(folder(name))]


def is_enabled(name: str) -> bool:
    return not os.path.lexists(os.path.join(folder(name), DISABLED))


def enabled() -> dict[str, dict]:
    """The plugins for the index: those that are enabled and usable, by name. Warns of unusable ones."""
    plugins: dict[str, dict] = {}
    for name in names():
        if not is_enabled(name):
            continue
        try:
            plugin = manifest.read(folder(name))
        except errors.MinipaasError as error:
            output.warn(f"plugin {name} is skipped: {error.message}")
            continue
        if plugin["name"] == name:
            plugins[name] = plugin
    return plugins


def record(name: str) -> dict:
    """Where an installed plugin came from: source, committish, commit, digest, installed (UTC); {} if unknown."""
    try:
        with open(os.path.join(folder(name), RECORD), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def write_index() -> None:
    """Write the index; a process that has read the former one uses manager.reindex() instead. Raises OSError."""
    content = catalog.header() + marshal.dumps(enabled())
    durable_file.write(os.path.join(paths.plugins(), "index"), content, 0o644)
