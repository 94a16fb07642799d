"""The content of an index of plugins, and how it is made from plugin.toml files."""

import os
import sys

from minipaas_lib import __version__, errors, paths

API = 1
"""Version of the plugin API: hooks, plugin.toml and minipaas_lib.api. A plugin for another version is not used."""


# Plain classes: git commands over ssh read the index, and importing typing or dataclasses would exceed their budget.
class CommandEntry:
    """One command as its plugin.toml describes it."""

    __slots__ = ("gevent", "help", "hidden", "host", "plugin", "root", "stateless", "unasked", "used_for")

    def __init__(self, plugin: str, fields: dict) -> None:
        self.plugin = plugin
        self.help = fields["help"]  # one line
        self.gevent = tuple(fields.get("gevent", ()))  # arguments that make the command need gevent
        self.hidden = fields.get("hidden", False)  # called by minipaas or git, and left out of help
        self.stateless = fields.get("stateless", False)  # runs whatever the store holds: its schema is not checked
        self.root = fields.get("root", False)  # run by root it stays root
        self.host = self.root or fields.get("host", False)  # refused over ssh
        self.unasked = self.root or fields.get("unasked", False)  # no authorize hook can refuse it
        self.used_for = fields.get("used_for", "")  # what the kernel itself needs it for: see index.command_for


class Index:
    """All plugins, and which of them has which command and hook."""

    __slots__ = ("commands", "hooks", "installed", "plugins")

    def __init__(self) -> None:
        self.plugins: dict[str, dict] = {}  # those in use: name -> {version, summary, hooks, commands}
        self.commands: dict[str, CommandEntry] = {}
        self.hooks: dict[str, list[str]] = {}  # hook -> names of the plugins that implement it, sorted
        self.installed: dict[str, dict] = {}  # those of `plugins` that are third-party ones


def own() -> dict[str, dict]:
    """The plugin.toml contents of the plugins of this program, by name."""
    try:
        from minipaas_index import PLUGINS
    except ImportError:
        PLUGINS = scan(os.path.join(paths.source(), "plugins"))
    return PLUGINS


def header() -> bytes:
    """The first line of an index file that this interpreter can read."""
    return f"minipaas plugins {API} {sys.implementation.cache_tag}\n".encode()


def build(plugins: dict[str, dict], others: dict[str, dict] | None = None) -> Index:
    """The index of built-in plugins and of others, whose plugin.toml contents are given by name.

    A built-in plugin's name and commands take precedence, even over a plugin that was installed before it existed.
    """
    index = Index()
    for name, manifest in sorted(plugins.items()):
        _add(index, name, manifest)
    for name, manifest in sorted((others or {}).items()):
        if name not in plugins and manifest.get("api") == API:
            index.installed[name] = manifest
            _add(index, name, manifest)
    if index.installed:
        for names in index.hooks.values():
            names.sort()
    return index


def _add(index: Index, name: str, manifest: dict) -> None:
    index.plugins[name] = manifest
    for command, entry in manifest.get("commands", {}).items():
        if command not in index.commands:
            index.commands[command] = CommandEntry(name, {"help": entry} if isinstance(entry, str) else entry)
    for hook in manifest.get("hooks", []):
        index.hooks.setdefault(hook, []).append(name)


def scan(folder: str) -> dict[str, dict]:
    """Read the plugin.toml of every built-in plugin below `folder`. Their version is that of the program."""
    import tomllib

    plugins = {}
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name, "plugin.toml")
        if os.path.isfile(path):
            try:
                with open(path, "rb") as file:
                    plugins[name] = tomllib.load(file) | {"version": __version__}
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise errors.BadConfig(f"{path} cannot be read: {error}") from None
    return plugins


def generate() -> str:
    """Python source of the module `minipaas_index` that goes into the zipapp."""
    plugins = scan(os.path.join(paths.source(), "plugins"))
    return f'"""Generated from the plugin.toml files."""\n\nPLUGINS = {plugins!r}\n'
