"""Which machines are nodes: noted in the store, so that one that is lost is missed, and can be removed by its name."""

from collections.abc import Iterable
from typing import NamedTuple

from minipaas_lib import api
from plugins.cluster.engine import Machine

NODES = "cluster/nodes.toml"


class Lost(NamedTuple):
    """A node that is noted, and that fleet does not hear of."""

    id: str
    address: str
    name: str


def note(store, machines: Iterable[Machine]) -> None:
    """Note that these are nodes now."""

    def edit(document) -> None:
        for one in machines:
            document[one.id] = {"name": named(one), "address": one.address}

    api.kernel.documents.edit(store, NODES, edit, create=True)


def named(machine: Machine) -> str:
    return machine.metadata.get("node", machine.id[:8])


def lost(heard: Iterable[Machine]) -> list[Lost]:
    """The nodes that fleet, which hears of these machines, does not hear of."""
    there = {machine.id for machine in heard}
    try:
        noted = api.kernel.documents.read(api.kernel.store(), NODES)
    except api.errors.NotFound:
        return []
    missing = [(id, record) for id, record in noted.items() if id not in there and isinstance(record, dict)]
    return sorted(Lost(id, str(record.get("address", "")), str(record.get("name", id[:8]))) for id, record in missing)
