"""The scheduler as this plugin knows it: with more than the kernel's contract has."""

from typing import TYPE_CHECKING, cast

from minipaas_lib import api

if TYPE_CHECKING:
    from plugins.cluster.fleet.scheduler import FleetScheduler


def scheduler() -> "FleetScheduler":
    """The scheduler of a machine that belongs to a cluster."""
    return cast("FleetScheduler", api.scheduler())
