"""What this plugin asks of a cluster's engines beyond the kernel's contracts, and the cluster's settings."""

from collections.abc import Collection
from typing import Protocol, cast

from minipaas_lib import api


class Machine(Protocol):
    """A machine that fleet hears of."""

    @property
    def id(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def metadata(self) -> dict[str, str]: ...


class Machines(Protocol):
    """The machines of the cluster as a whole: see plugins/cluster/fleet/machines.py."""

    def all(self) -> list[Machine]: ...
    def members(self) -> list[Machine]: ...
    def run(
        self, name: str, image: str, words: list[str], mounts: tuple[str, ...] = (), fenced: tuple[int, ...] = ()
    ) -> None: ...
    def once(self, name: str, line: str, only: str = "") -> None: ...
    def outcomes(self, name: str) -> dict[str, str]: ...
    def remove(self, name: str) -> None: ...
    def mark(self, machine: str, key: str, value: str | None) -> None: ...
    def join(self, machine: str) -> None: ...
    def expel(self, machine: str) -> None: ...
    def expelled(self) -> list[Machine]: ...


class ClusterScheduler(Protocol):
    """What a cluster's scheduler has beside the contract: see plugins/cluster/fleet/scheduler.py."""

    local: "api.Scheduler"  # that of this host alone
    machines: Machines

    def have_image(self, image: str) -> None: ...
    def bring_images(self) -> None: ...
    def node_images(self, among: Collection[str]) -> dict[str, dict[str, str]]: ...


class ClusterRouter(Protocol):
    """What a cluster's router has beside the contract: see plugins/cluster/routes/cluster_router.py."""

    def routers(self) -> dict[str, dict]: ...
    def behind(self) -> dict[str, list[str]]: ...


def scheduler() -> ClusterScheduler:
    """The scheduler of a host that belongs to a cluster."""
    return cast(ClusterScheduler, api.scheduler())


def router() -> ClusterRouter:
    """The router of a host that belongs to a cluster."""
    return cast(ClusterRouter, api.router())


def settings() -> "api.cluster.ClusterSettings":
    """The cluster that this host belongs to. Raises errors.UsageError where it belongs to none."""
    found = api.cluster.settings()
    if found is None:
        raise api.errors.UsageError("this host does not belong to a cluster", "cluster:init --etcd URL[,URL...]")
    return found
