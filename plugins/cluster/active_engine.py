"""The engine of the cluster that this host belongs to. Nothing else imports an engine's folder."""

from typing import cast

from minipaas_lib import api
from plugins.cluster.engine import ClusterEngine, ClusterRouter, LocalScheduler


def choose(cluster: "api.kernel.cluster.ClusterSettings", local: LocalScheduler) -> ClusterEngine:
    """The engine for these settings, working with the scheduler of this host. fleet is the only one."""
    from plugins.cluster.fleet import engine

    return engine.make(cluster, local)


def scheduler() -> ClusterEngine:
    """The scheduler of a machine that belongs to a cluster."""
    return cast(ClusterEngine, api.scheduler())  # see the hook scheduler


def router() -> ClusterRouter:
    """The router of a machine that belongs to a cluster."""
    return cast(ClusterRouter, api.router())  # see the hook router


def settings() -> "api.kernel.cluster.ClusterSettings":
    """The cluster that this host belongs to. Raises errors.UsageError where it belongs to none."""
    cluster = api.kernel.cluster.settings()
    if cluster is None:
        raise api.errors.UsageError("this host does not belong to a cluster", "cluster:init --etcd URL[,URL...]")
    return cluster
