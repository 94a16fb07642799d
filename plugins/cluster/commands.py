"""The commands of the cluster, each from the room that it belongs to."""

from plugins.cluster.head.commands import (
    cluster_catch_up,
    cluster_cloud_config,
    cluster_drain,
    cluster_init,
    cluster_join_head,
    cluster_leave,
    cluster_reach,
    cluster_remove,
    cluster_renew_certificates,
    cluster_status,
    cluster_undrain,
    node_follow,
)
from plugins.cluster.node.commands import (
    node_agent,
    node_catch_up,
    node_create,
    node_hand_over,
    node_router,
)

__all__ = [
    "cluster_catch_up",
    "cluster_cloud_config",
    "cluster_drain",
    "cluster_init",
    "cluster_join_head",
    "cluster_leave",
    "cluster_reach",
    "cluster_remove",
    "cluster_renew_certificates",
    "cluster_status",
    "cluster_undrain",
    "node_agent",
    "node_catch_up",
    "node_create",
    "node_follow",
    "node_hand_over",
    "node_router",
]
