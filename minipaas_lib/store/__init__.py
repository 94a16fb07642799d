"""Where state lives: `open_store()` gives the store of this host, in its own folder or in the cluster it belongs to."""

import os
from typing import TYPE_CHECKING

from minipaas_lib import cluster_settings, paths
from minipaas_lib.store.contract import Store
from minipaas_lib.store.directory import DirectoryStore

if TYPE_CHECKING:
    from minipaas_lib.store.etcd import EtcdStore

_opened: dict[str, Store] = {}


def open_store() -> Store:
    """The store of this host, the same object at every call for one paths.root(). Raises errors.BadConfig."""
    root = paths.root()
    if root not in _opened:
        found = cluster_settings.settings()
        _opened[root] = open_cluster(found) if found else open_directory()
    return _opened[root]


def open_directory() -> DirectoryStore:
    """The store in this host's own folder, whether it is the one in use or not."""
    return DirectoryStore(paths.state(), paths.locks())


def open_cluster(found: cluster_settings.ClusterSettings, quorum: bool = True) -> "EtcdStore":
    """The store in a cluster's etcd, whether it is the one in use or not; `quorum` as in EtcdStore."""
    from minipaas_lib.store.etcd import EtcdStore

    return EtcdStore(found.etcd, found.ca, found.cert, found.key, paths.cache("etcd"), quorum)


def is_current() -> bool:
    """Whether the store that open_store() gives is the one in use: cluster.toml may have come or gone since."""
    return isinstance(open_store(), DirectoryStore) is not os.path.exists(cluster_settings.path())


def forget() -> None:
    """Look anew which store is in use: cluster.toml was written or removed by this process."""
    _opened.pop(paths.root(), None)
