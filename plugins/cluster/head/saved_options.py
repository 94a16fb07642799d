"""What cluster:init notes in this host's own store before it changes anything, for it and cluster:leave to go on."""

from minipaas_lib import api

JOINING = "cluster/joining.toml"  # in the store of this host: from the first change until all is moved
LEAVING = "cluster/leaving.toml"  # the same, on the way back
OWNER = "cluster/owner.toml"  # in etcd: the head whose state it is
OURS = ("cluster", "routes")  # folders that are the cluster's and never copied; services and routers expire


def read(path: str) -> dict:
    """A record; empty where there is none."""
    try:
        return api.kernel.documents.read(api.kernel.open_directory(), path)
    except api.errors.NotFound:
        return {}


def write(path: str, cluster: "api.kernel.cluster.ClusterSettings", **about: str) -> None:
    table = {name: value for name, value in cluster._asdict().items() if value and name not in ("moving", "node")}
    api.kernel.documents.write(api.kernel.open_directory(), path, table | {"etcd": list(cluster.etcd), **about})


def remove(path: str) -> None:
    try:
        api.kernel.open_directory().delete(path)
    except api.errors.NotFound:
        pass


def settings(record: dict) -> "api.kernel.cluster.ClusterSettings":
    """The cluster that a record tells of. Raises errors.BadConfig."""
    return api.kernel.cluster.parse(
        {name: record[name] for name in ("etcd", "ca", "cert", "key", "fleet") if name in record}
    )
