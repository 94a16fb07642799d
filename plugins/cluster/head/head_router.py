"""The router of a head. Its own nginx follows the cluster's routes like that of every node.

While apps are moved between this host and the cluster there are two kinds of processes: those of nodes, which every
router reaches, and those of this host, which only its own nginx reaches.
"""

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.engine import ClusterRouter, LocalRouter
from plugins.cluster.head import follower_process


class HeadRouter:
    """A ClusterRouter. `cluster` is the router of all nodes and heads, `cluster.local` that of this host."""

    def __init__(self, cluster: ClusterRouter, moving: str) -> None:
        self._cluster, self.local, self._moving = cluster, cluster.local, moving

    def apply(self, route: "api.Route") -> None:
        if not self._moving:
            follower_process.ensure_running()
            self._cluster.apply(route)
        elif self._is_here(route):
            self.local.apply(route)
            self._forget(route.app)
        else:
            self._cluster.apply(route)
            self.local.apply(route)

    def remove(self, app: str) -> None:
        if not self._moving:
            follower_process.ensure_running()
            self._cluster.remove(app)
            return
        self.local.remove(app)
        self._forget(app)

    def applied(self, app: str) -> str:
        return self._authority().applied(app)

    def routes(self) -> list[str]:
        return self._authority().routes()

    def check(self, route: "api.Route | None" = None) -> None:
        self._authority().check(route)

    def placed(self, app: str) -> str:
        return self._authority().placed(app)

    def warm(self) -> None:
        self.local.warm()

    def routers(self) -> dict[str, dict]:
        return self._cluster.routers()

    def behind(self) -> dict[str, list[str]]:
        return self._cluster.behind()

    def _authority(self) -> ClusterRouter | LocalRouter:
        """The router that has every route: this host's own while apps are moved."""
        return self.local if self._moving else self._cluster

    def _is_here(self, route: "api.Route") -> bool:
        """Whether the route leads to processes of this host, or to none at all on the way back."""
        here = {process.name for process in active_engine.scheduler().local.processes(route.app)}
        names = {backend.process for backend in route.backends}
        return bool(names & here) or (not names and self._moving == api.kernel.cluster.OUT)

    def _forget(self, app: str) -> None:
        """Take the route from the nodes; that none of them is alive is no reason to fail."""
        if app not in self._cluster.routes():
            return
        try:
            self._cluster.remove(app)
        except api.errors.Unavailable as error:
            api.output.warn(f"nodes may still route {app}: {error.message}")
