"""The nodes: which there are, what they are called, and the scheduler that works on the docker of one."""

import threading
import time

from minipaas_lib import api
from plugins.cluster import names
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.fleet import client, machines
from plugins.cluster.transport import docker_tls_client, protocol, tls

NOWHERE = "nowhere"  # the node of a process that fleet has found no machine for
FRESH = 2.0  # seconds for which the list of machines is not asked for again
TABLE = "tags"


class Nodes:
    """The machines of `fleet`. `tunnels` makes the ways to their dockers, on which `local` works."""

    def __init__(self, local: LocalScheduler, fleet: client.Fleet, tunnels) -> None:
        self._local, self._fleet, self._make_tunnels = local, fleet, tunnels
        self._tunnels: docker_tls_client.Tunnels | None = None
        self._lock = threading.Lock()
        self._machines: list[client.Machine] = []
        self._asked = -FRESH
        self._schedulers: dict[str, LocalScheduler] = {}

    def all(self) -> list[client.Machine]:
        """The machines that fleet hears of and that are nodes of ours. Raises errors.Unavailable."""
        with self._lock:
            if time.monotonic() - self._asked >= FRESH:
                self._machines = machines.nodes_among(self._fleet.machines())
                self._asked = time.monotonic()
            return self._machines

    def find(self, node: str) -> client.Machine | None:
        """The machine of that id, or None while fleet does not hear of it."""
        return next((machine for machine in self.all() if machine.id == node), None)

    def name(self, node: str) -> str:
        """What people call a machine: its metadata `node`, else the start of its id."""
        machine = self.find(node)
        return machine.metadata.get("node", node[:8]) if machine else node[:8]

    def on(self, machine: client.Machine) -> LocalScheduler:
        """The scheduler on the docker of a machine."""
        with self._lock:
            if self._tunnels is None:
                self._tunnels = self._make_tunnels()
            if machine.id not in self._schedulers:
                url = self._tunnels.url(machine.address)
                self._schedulers[machine.id] = self._local.elsewhere(url, machine.address, machine.id, names.AGENT)
            return self._schedulers[machine.id]


def tags(app: str) -> dict[str, str]:
    """The machine metadata that the app asks for."""
    table = api.app(app).document.get(TABLE, {})
    return {key: value for key, value in table.items() if isinstance(value, str)} if isinstance(table, dict) else {}


def fits(machine: client.Machine, wanted: dict[str, str]) -> bool:
    """Whether the machine has all that metadata."""
    return all(machine.metadata.get(key) == value for key, value in wanted.items())


def described(machine: client.Machine) -> str:
    """The metadata that people gave the machine."""
    return " ".join(f"{k}={v}" for k, v in sorted(machine.metadata.items()) if not k.startswith("minipaas"))


def drained(store) -> set[str]:
    """The ids of the machines that nothing is to be started on."""
    try:
        ids = api.kernel.documents.read(store, names.DRAINED).get("nodes", [])
    except api.errors.NotFound:
        return set()
    return {node for node in ids if isinstance(node, str)} if isinstance(ids, list) else set()


def image(store) -> str:
    """The image of minipaas that nodes run. Raises errors.Unavailable before cluster:init."""
    try:
        return str(api.kernel.documents.read(store, names.IMAGE)["name"])
    except (api.errors.NotFound, KeyError):
        raise api.errors.Unavailable("this cluster has no image of minipaas yet", "cluster:init") from None


def tunnels() -> docker_tls_client.Tunnels:
    """The ways to the nodes, with this cluster's certificate. Raises errors.Unavailable before cluster:init."""
    try:
        keys = api.kernel.documents.read(api.kernel.store(), protocol.keys_path("head"))
    except api.errors.NotFound:
        raise api.errors.Unavailable("this cluster has no certificates yet", "cluster:init") from None
    return docker_tls_client.Tunnels(tls.client_context(keys))


def machine_id(path: str = "/etc/machine-id") -> str:
    """The id of the machine that we run on."""
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def this_machine(near: Nodes, path: str = "/etc/machine-id") -> client.Machine:
    """The machine that we run on. Raises errors.Unavailable while fleet does not hear of it."""
    machine = near.find(machine_id(path))
    if machine is None:
        raise api.errors.Unavailable("fleet does not know this machine", "systemctl status fleet")
    return machine
