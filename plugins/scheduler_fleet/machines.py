"""The machines of the cluster as a whole: what of ours runs on all of them, and what they are marked with."""

from plugins.scheduler_fleet import client, unitfile, units
from plugins.scheduler_fleet.unitfile import Option

ONCE_TIMEOUT = 900  # seconds that a line of sh may take on a node
RUNNING, DONE, FAILED, STARTING = "running", "done", "failed", "starting"


class Machines:
    """Units of fleet that every machine runs. All raise errors.Unavailable when fleet does not answer."""

    def __init__(self, fleet: client.Fleet) -> None:
        self._fleet = fleet

    def all(self) -> list[client.Machine]:
        """The machines that fleet hears of, by name."""
        return sorted(self._fleet.machines(), key=lambda machine: (machine.metadata.get("node", ""), machine.id))

    def run(self, name: str, image: str, words: list[str], mounts: tuple[str, ...] = ()) -> None:
        """Have a command of ours in a container `name` of `image` on every machine, and on those to come.

        `mounts` as docker's --volume has them. The same again changes nothing.
        """
        command = units.node_run(image, *words, name=name, more=mounts)
        self._fleet.submit(name + units.SUFFIX, units.global_unit(name, name, command))

    def once(self, name: str, line: str) -> None:
        """Run a line of sh on every machine, as root. Its outcome stays until remove(name)."""
        options = [
            Option("Unit", "Description", name),
            Option("Unit", "After", "docker.service"),
            Option("Service", "Type", "oneshot"),
            Option("Service", "RemainAfterExit", "yes"),
            Option("Service", "ExecStart", unitfile.line(["/bin/sh", "-c", line])),
            Option("Service", "TimeoutStartSec", str(ONCE_TIMEOUT)),
            Option("X-Fleet", "Global", "true"),
        ]
        unitfile.check(options)
        self._fleet.submit(name + units.SUFFIX, options)

    def outcomes(self, name: str) -> dict[str, str]:
        """By id of the machine, how `name` is there: running, done (what runs once), failed or starting."""
        found = self._fleet.unit(name + units.SUFFIX)
        if found is None:
            return {}
        wanted = unitfile.digest(found.options)
        states = [state for state in self._fleet.states() if state.name == name + units.SUFFIX]
        return {state.machine: _outcome(state) for state in states if state.hash in (wanted, "")}

    def remove(self, name: str) -> None:
        """End it on all machines. None there is fine."""
        self._fleet.destroy(name + units.SUFFIX)

    def mark(self, machine: str, key: str, value: str) -> None:
        """Give a machine a piece of metadata, in the place of what it had under that key."""
        self._fleet.set_metadata(machine, {key: value})


def _outcome(state: client.State) -> str:
    if state.active == "active":
        return DONE if state.sub == "exited" else RUNNING
    return FAILED if "failed" in (state.active, state.sub) or state.sub == "auto-restart" else STARTING
