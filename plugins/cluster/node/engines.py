"""What this plugin asks of a cluster's engines beyond the kernel's contracts."""

from typing import Any, Protocol, cast

from minipaas_lib import api


class Machine(Protocol):
    """The machine that we run on."""

    @property
    def id(self) -> str: ...
    @property
    def address(self) -> str: ...


class NodeScheduler(Protocol):
    """See plugins/cluster/fleet/scheduler.py."""

    local: Any  # the scheduler on a docker, this machine's to begin with: see plugins/scheduler_docker/scheduler.py

    def this_machine(self) -> Machine: ...
    def processes(self, app: str | None = None) -> list["api.Process"]: ...


class NodeRouter(Protocol):
    """See plugins/cluster/routes/cluster_router.py."""

    local: Any  # the router of this machine's nginx: see plugins/router_nginx/router.py


def scheduler() -> NodeScheduler:
    """The scheduler of a machine that belongs to a cluster."""
    return cast(NodeScheduler, api.scheduler())


def router() -> NodeRouter:
    """The router of a machine that belongs to a cluster."""
    return cast(NodeRouter, api.router())
