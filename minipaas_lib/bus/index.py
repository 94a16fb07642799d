"""Which plugin has which command and hook, known without importing one.

In the zipapp the index is a generated module (`minipaas_index`); in a checkout it is read from the plugin.toml files.
"""

import os

from minipaas_lib import errors, paths


# Plain classes: git's way through the gate reads the index, and typing or dataclasses would cost it more than its bar.
class CommandEntry:
    """One command as its plugin.toml tells it."""

    __slots__ = ("gevent", "help", "hidden", "plugin", "stateless")

    def __init__(
        self, plugin: str, help: str, gevent: tuple[str, ...] = (), hidden: bool = False, stateless: bool = False
    ) -> None:
        self.plugin = plugin
        self.help = help  # one line
        self.gevent = gevent  # arguments that make the command need gevent
        self.hidden = hidden  # called by us or by git, and left out of help
        self.stateless = stateless  # runs whatever the store holds: nothing of it is checked first


class Index:
    """All plugins, and who has which command and hook."""

    __slots__ = ("commands", "hooks", "plugins")

    def __init__(self, plugins: dict[str, dict], commands: dict[str, CommandEntry], hooks: dict[str, list[str]]) -> None:
        self.plugins = plugins  # name -> {version, summary, hooks, commands}
        self.commands = commands
        self.hooks = hooks  # hook -> names of the plugins that implement it, sorted


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
