"""Which plugin has which command and hook, known without importing one.

In the zipapp the index of our own plugins is a generated module (`minipaas_index`); in a checkout it is read from the
plugin.toml files. Plugins from elsewhere have an index file of their own, written when one is installed
(see bus.installed).
"""

import os

from minipaas_lib import paths
from minipaas_lib.bus import catalog

_index: catalog.Index | None = None


def load() -> catalog.Index:
    """The index of all plugins of this host. Raises errors.BadConfig for a plugin.toml of ours that cannot be used."""
    global _index
    if _index is None:
        _index = catalog.build(catalog.own(), installed())
    return _index


def forget() -> None:
    """Read the index again when it is next asked for."""
    global _index
    _index = None


def stays_root(command: str) -> bool:
    """Whether root stays root for the command. Only a plugin of ours can say so, and only ours are looked at."""
    entry = catalog.build(catalog.own(), {}).commands.get(command)
    return entry is not None and entry.root


def installed() -> dict[str, dict]:
    """The enabled plugins from elsewhere, by name, as the index file of paths.plugins() has them.

    A file that root (or who runs this) does not own is not read. One that is broken, or was written by another Python,
    is made good from the plugins themselves: no broken file may keep a plugin from being disabled.
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
    begin = catalog.header()
    if data.startswith(begin):
        import marshal

        try:
            return marshal.loads(data[len(begin) :])
        except (ValueError, EOFError, TypeError):
            pass
    return _rescued()


def _rescued() -> dict[str, dict]:
    from minipaas_lib.bus import installed

    return installed.enabled()
