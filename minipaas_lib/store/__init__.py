"""Where state lives: `open_store()` returns the store of this host, a local folder or its cluster's etcd."""

import os
from typing import TYPE_CHECKING

from minipaas_lib import cluster_settings, paths
from minipaas_lib.store.contract import Store
from minipaas_lib.store.directory import DirectoryStore

if TYPE_CHECKING:
    from minipaas_lib.store.etcd import EtcdStore

_opened: dict[str, Store] = {}


def open_store() -> Store:
    """The store of this host, the same object for every call with the same paths.root(). Raises errors.BadConfig."""
    root = paths.root()
    if root not in _opened:
        settings = cluster_settings.settings()
        _opened[root] = open_cluster(settings) if settings else open_directory()
    return _opened[root]


def open_directory() -> DirectoryStore:
    """The store in this host's own folder, whether or not it is the one in use."""
    return DirectoryStore(paths.state(), paths.locks())


def open_cluster(settings: cluster_settings.ClusterSettings, quorum: bool = True) -> "EtcdStore":
    """The store in a cluster's etcd, whether or not it is the one in use; `quorum` as in EtcdStore."""
    from minipaas_lib.store.etcd import EtcdStore

    return EtcdStore(settings.etcd, settings.ca, settings.cert, settings.key, paths.cache("etcd"), quorum)


def is_current() -> bool:
    """Whether the store that open_store() returns is still the one in use: cluster.toml may have appeared or gone."""
    return isinstance(open_store(), DirectoryStore) is not os.path.exists(cluster_settings.path())


def forget() -> None:
    """Choose the store again at the next open_store(): this process has written or removed cluster.toml."""
    _opened.pop(paths.root(), None)
