"""Which plugin has which command and hook, known without importing one.

In the zipapp the index is a generated module (`minipaas_index`); in a checkout it is read from the plugin.toml files.
"""

import os
from typing import NamedTuple

from minipaas_lib import errors, paths


class CommandEntry(NamedTuple):
    plugin: str
    help: str  # one line
    gevent: tuple[str, ...] = ()  # arguments that make the command need gevent
    hidden: bool = False  # called by us or by git, and left out of help
    stateless: bool = False  # runs whatever the store holds: nothing of it is checked first


class Index(NamedTuple):
    plugins: dict[str, dict]  # name -> {version, summary, hooks, commands}
    commands: dict[str, CommandEntry]
    hooks: dict[str, list[str]]  # hook -> names of the plugins that implement it, sorted


_index: Index | None = None


def load() -> Index:
    """The index of all plugins of this program. Raises errors.BadConfig for a plugin.toml that cannot be used."""
    global _index
    if _index is None:
        try:
            from minipaas_index import PLUGINS
        except ImportError:
            PLUGINS = scan(os.path.join(paths.source(), "plugins"))
        _index = build(PLUGINS)
    return _index


def build(plugins: dict[str, dict]) -> Index:
    """The index of the plugins whose plugin.toml contents are given by name."""
    commands: dict[str, CommandEntry] = {}
    hooks: dict[str, list[str]] = {}
    for name, about in sorted(plugins.items()):
        for command, entry in about.get("commands", {}).items():
            if isinstance(entry, str):
                entry = {"help": entry}
            gevent = tuple(entry.get("gevent", ()))
            commands[command] = CommandEntry(
                name, entry["help"], gevent, entry.get("hidden", False), entry.get("stateless", False)
            )
        for hook in about.get("hooks", []):
            hooks.setdefault(hook, []).append(name)
    return Index(plugins, commands, hooks)


def scan(folder: str) -> dict[str, dict]:
    """Read the plugin.toml of every plugin folder below `folder`."""
    import tomllib

    plugins = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "plugin.toml")
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    plugins[name] = tomllib.load(file)
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise errors.BadConfig(f"{path} cannot be read: {error}") from None
    return plugins


def generate() -> str:
    """Python source of the module `minipaas_index` that goes into the zipapp."""
    plugins = scan(os.path.join(paths.source(), "plugins"))
    return f'"""Generated from the plugin.toml files."""\n\nPLUGINS = {plugins!r}\n'
