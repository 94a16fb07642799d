"""Makes the engine that runs processes as units of fleet."""

from minipaas_lib import api
from plugins.cluster.engine import ClusterEngine, LocalScheduler
from plugins.cluster.fleet import client, nodes
from plugins.cluster.fleet.leaving_scheduler import LeavingScheduler
from plugins.cluster.fleet.scheduler import FleetScheduler


def make(cluster: "api.kernel.cluster.ClusterSettings", local: LocalScheduler) -> ClusterEngine:
    """The scheduler of that cluster's fleet; while apps come back to this host, one that starts them here."""
    fleet = client.Fleet(cluster.fleet)
    kind = LeavingScheduler if cluster.moving == api.kernel.cluster.OUT else FleetScheduler
    return kind(local, fleet, api.kernel.store(), nodes.Nodes(local, fleet, nodes.tunnels))
