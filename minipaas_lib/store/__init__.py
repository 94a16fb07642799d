"""Where state lives: `open_store()` gives the store of this host."""

from minipaas_lib import paths
from minipaas_lib.store.contract import Store
from minipaas_lib.store.directory import DirectoryStore

_opened: dict[str, Store] = {}


def open_store() -> Store:
    """The store of this host, the same object at every call for one paths.root()."""
    root = paths.root()
    if root not in _opened:
        _opened[root] = DirectoryStore(paths.state(), paths.locks())
    return _opened[root]
