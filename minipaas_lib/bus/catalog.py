"""What is in an index of plugins, and how one is made from plugin.toml files."""

import os
import sys

from minipaas_lib import __version__, errors, paths

API = 1
"""Version of the plugin API: hooks, plugin.toml and minipaas_lib.api. A plugin that asks for another is not used."""


# Plain classes: git's way through the gate reads the index, and typing or dataclasses would cost it more than its bar.
class CommandEntry:
    """One command as its plugin.toml tells it."""

    __slots__ = ("about", "gevent", "help", "hidden", "host", "plugin", "root", "stateless", "unasked")

    def __init__(self, plugin: str, about: dict) -> None:
        self.plugin = plugin
        self.about = about  # the whole entry
        self.help = about["help"]  # one line
        self.gevent = tuple(about.get("gevent", ()))  # arguments that make the command need gevent
        self.hidden = about.get("hidden", False)  # called by us or by git, and left out of help
        self.stateless = about.get("stateless", False)  # runs whatever the store holds: nothing of it is checked first
        self.root = about.get("root", False)  # typed by root it stays root
        self.host = self.root or about.get("host", False)  # refused over ssh
        self.unasked = self.root or about.get("unasked", False)  # no authorize hook can refuse it


class Index:
    """All plugins, and who has which command and hook."""

    __slots__ = ("commands", "hooks", "installed", "plugins")

    def __init__(self) -> None:
        self.plugins: dict[str, dict] = {}  # those in use: name -> {version, summary, hooks, commands}
        self.commands: dict[str, CommandEntry] = {}
        self.hooks: dict[str, list[str]] = {}  # hook -> names of the plugins that implement it, sorted
        self.installed: dict[str, dict] = {}  # those of `plugins` that came from elsewhere


def own() -> dict[str, dict]:
    """The plugin.toml contents of the plugins of this program, by name."""
    try:
        from minipaas_index import PLUGINS
    except ImportError:
        PLUGINS = scan(os.path.join(paths.source(), "plugins"))
    return PLUGINS


def header() -> bytes:
    """What an index file begins with that this interpreter can read."""
    return f"minipaas plugins {API} {sys.implementation.cache_tag}\n".encode()


def build(plugins: dict[str, dict], others: dict[str, dict] | None = None) -> Index:
    """The index of our plugins and of others, whose plugin.toml contents are given by name.

    What one of ours has (a name, a command) no other one takes, even if it was installed before ours came.
    """
    made = Index()
    for name, about in sorted(plugins.items()):
        _add(made, name, about)
    for name, about in sorted((others or {}).items()):
        if name not in plugins and about.get("api") == API:
            made.installed[name] = about
            _add(made, name, about)
    if made.installed:
        for names in made.hooks.values():
            names.sort()
    return made


def _add(made: Index, name: str, about: dict) -> None:
    made.plugins[name] = about
    for command, entry in about.get("commands", {}).items():
        if command not in made.commands:
            made.commands[command] = CommandEntry(name, {"help": entry} if isinstance(entry, str) else entry)
    for hook in about.get("hooks", []):
        made.hooks.setdefault(hook, []).append(name)


def scan(folder: str) -> dict[str, dict]:
    """Read the plugin.toml of every plugin folder of ours below `folder`. Their version is that of the program."""
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
