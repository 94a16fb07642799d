"""Which plugin has which command and hook, known without importing one.

In the zipapp the index of built-in plugins is a generated module (`minipaas_index`); in a checkout it is read from the
plugin.toml files. Third-party plugins have an index file of their own, written when one is installed
(see bus.installed).
"""

import os

from minipaas_lib import paths
from minipaas_lib.bus import catalog

_index: catalog.Index | None = None


def load() -> catalog.Index:
    """The index of all plugins of this host. Raises errors.BadConfig for a built-in plugin.toml that is broken."""
    global _index
    if _index is None:
        _index = catalog.build(catalog.own(), installed())
    return _index


def forget() -> None:
    """Read the index again when it is next needed."""
    global _index
    _index = None


def command_for(use: str) -> str:
    """The command that the kernel means where it wants something of a feature; the use itself where no feature has it.

    "help" and "version" are what those flags stand for, "report" says how an app is, and who may not use "apps" hears
    of no app's name.
    """
    return next((name for name, entry in load().commands.items() if entry.used_for == use), use)


def stays_root(command: str) -> bool:
    """Whether root stays root for the command. Only a built-in plugin can declare that, and only those are read."""
    entry = catalog.build(catalog.own(), {}).commands.get(command)
    return entry is not None and entry.root


def installed() -> dict[str, dict]:
    """The enabled third-party plugins, by name, from the index file in paths.plugins().

    A file that neither root nor the caller owns is not read. If it is broken, or was written by another Python, the
    plugins themselves are read instead: no broken file may keep a plugin from being disabled.
    """
    try:
        descriptor = os.open(os.path.join(paths.plugins(), "index"), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}
    except OSError:
        return _rescued()
    with open(descriptor, "rb") as file:
        if os.fstat(descriptor).st_uid not in (0, os.geteuid()):
            return _rescued()
        data = file.read()
    header = catalog.header()
    if data.startswith(header):
        import marshal

        try:
            return marshal.loads(data[len(header) :])
        except (ValueError, EOFError, TypeError):
            pass
    return _rescued()


def _rescued() -> dict[str, dict]:
    from minipaas_lib.bus import installed

    return installed.enabled()
