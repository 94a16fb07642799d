"""The scheduler of a host that is leaving its cluster: what starts, starts here; what runs on nodes can be stopped."""

from minipaas_lib import api
from plugins.scheduler_fleet import images
from plugins.scheduler_fleet.scheduler import FleetScheduler


class HomewardScheduler(FleetScheduler):
    """See bus.engines.Scheduler."""

    at_once = 4  # it is this host's docker that starts them

    def start(self, spec: "api.ContainerSpec") -> "api.Process":
        images.fetch(self.local, self._nodes, spec.image, "", spec.app)
        return self.local.start(spec)

    def bring_images(self) -> None:
        """Have on this host what the nodes keep of apps: other heads may have built it."""
        images.catch_up(self.local, self._nodes, "", lambda app: True)

    def _somewhere(self, spec: "api.ContainerSpec"):
        images.fetch(self.local, self._nodes, spec.image, "", spec.app)
        return self.local
