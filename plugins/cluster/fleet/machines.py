"""The machines of the cluster as a whole: what of ours runs on all of them, and what they are marked with."""

from collections.abc import Callable

from minipaas_lib import api
from plugins.cluster.fleet import client, unit_file, units
from plugins.cluster.fleet.unit_file import Option

ONCE_TIMEOUT = 900  # seconds that a line of sh may take on a node
MEMBER, YES, NO = "minipaas-node", "yes", "no"  # the metadata that says whether a machine runs our parts
RUNNING, DONE, FAILED, STARTING = "running", "done", "failed", "starting"


class Machines:
    """Units of fleet that every machine runs. All raise errors.Unavailable when fleet does not answer.

    `interface()` is the network interface by which processes of apps reach the machine that they are on.
    """

    def __init__(self, fleet: client.Fleet, interface: Callable[[], str]) -> None:
        self._fleet, self._interface = fleet, interface

    def all(self) -> list[client.Machine]:
        """The machines that fleet hears of, by name; also those that are no nodes (yet, or any more)."""
        return sorted(self._fleet.machines(), key=lambda machine: (machine.metadata.get("node", ""), machine.id))

    def members(self) -> list[client.Machine]:
        """Those of them that were not expelled."""
        return [machine for machine in self.all() if not is_expelled(machine)]

    def run(
        self, name: str, image: str, words: list[str], mounts: tuple[str, ...] = (), fenced: tuple[int, ...] = ()
    ) -> None:
        """Have a command of ours in a container `name` of `image` on every machine that is a node: see join().

        `mounts` as docker's --volume has them; `fenced` are ports, of any machine, that processes of apps are kept from
        before. The same again changes nothing.
        """
        command = units.node_run(image, *words, name=name, more=mounts)
        before = units.fence(self._interface(), fenced) if fenced else ""
        self._fleet.submit(name + units.SUFFIX, units.global_unit(name, name, command, {MEMBER: YES}, before))

    def once(self, name: str, line: str, only: str = "") -> None:
        """Run a line of sh on every node, or on the machine of the id `only`, as root.

        Its outcome stays until remove(name).
        """
        options = [
            Option("Unit", "Description", name),
            Option("Unit", "After", "docker.service"),
            Option("Service", "Type", "oneshot"),
            Option("Service", "RemainAfterExit", "yes"),
            Option("Service", "ExecStart", unit_file.line(["/bin/sh", "-c", line])),
            Option("Service", "TimeoutStartSec", str(ONCE_TIMEOUT)),
        ]
        if only:
            options.append(Option("X-Fleet", "MachineID", only))
        else:
            options.append(Option("X-Fleet", "Global", "true"))
            options.append(Option("X-Fleet", "MachineMetadata", unit_file.metadata(MEMBER, YES)))
        unit_file.check(options)
        self._fleet.submit(name + units.SUFFIX, options)

    def outcomes(self, name: str) -> dict[str, str]:
        """By id of the machine, how `name` is there: running, done (what runs once), failed or starting."""
        unit = self._fleet.unit(name + units.SUFFIX)
        if unit is None:
            return {}
        wanted = unit_file.digest(unit.options)
        states = [state for state in self._fleet.states() if state.name == name + units.SUFFIX]
        return {state.machine: _outcome(state) for state in states if state.hash in (wanted, "")}

    def remove(self, name: str) -> None:
        """End it on all machines. None there is fine."""
        self._fleet.destroy(name + units.SUFFIX)

    def mark(self, machine: str, key: str, value: str | None) -> None:
        """Give a machine a piece of metadata, in the place of what it had under that key; None takes it away."""
        self._fleet.set_metadata(machine, {key: value})

    def join(self, machine: str) -> None:
        """Have what run() says on that machine too."""
        self.mark(machine, MEMBER, YES)

    def expel(self, machine: str) -> None:
        """Have nothing of what run() says on that machine any more, nor processes; also on one that fleet lost.

        Raises errors.Unavailable where a unit of run() is older than this way of choosing.
        """
        for unit in self._fleet.units():
            chosen = any(o.name == "MachineMetadata" and o.value.startswith(MEMBER) for o in unit.options)
            ours = unit_file.is_global(unit.options) and unit.name.startswith("minipaas-")
            if ours and not chosen:
                raise api.errors.Unavailable("the nodes run an older minipaas than this host", "cluster:init")
        self.mark(machine, MEMBER, NO)

    def expelled(self) -> list[client.Machine]:
        """The machines that fleet hears of and that were expelled."""
        return [machine for machine in self.all() if is_expelled(machine)]


def is_expelled(machine: client.Machine) -> bool:
    """Whether the machine is not to be a node any more."""
    return machine.metadata.get(MEMBER) == NO


def nodes_among(machines: list[client.Machine]) -> list[client.Machine]:
    """The machines that are nodes: those that were given our parts, or all of a cluster older than that mark."""
    joined = [machine for machine in machines if machine.metadata.get(MEMBER) == YES]
    return joined or [machine for machine in machines if not is_expelled(machine)]


def _outcome(state: client.State) -> str:
    if state.active == "active":
        return DONE if state.sub == "exited" else RUNNING
    return FAILED if "failed" in (state.active, state.sub) or state.sub == "auto-restart" else STARTING
