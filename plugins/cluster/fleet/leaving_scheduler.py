"""The scheduler of a host that is leaving its cluster: processes start here, and those on nodes can be stopped."""

from minipaas_lib import api
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.fleet import image_sync
from plugins.cluster.fleet.scheduler import FleetScheduler


class LeavingScheduler(FleetScheduler):
    """A ClusterEngine."""

    at_once = 4  # it is this host's docker that starts them

    def start(self, spec: "api.ContainerSpec") -> "api.Process":
        image_sync.fetch(self.local, self._nodes, spec.image, "", spec.app)
        return self.local.start(spec)

    def bring_images(self) -> None:
        """Have on this host what the nodes keep of apps: other heads may have built it."""
        image_sync.catch_up(self.local, self._nodes, "", lambda app: True)

    def _somewhere(self, spec: "api.ContainerSpec") -> LocalScheduler:
        image_sync.fetch(self.local, self._nodes, spec.image, "", spec.app)
        return self.local
