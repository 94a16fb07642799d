"""Which unit goes to which machine. Pure: as fleet's engine decides, but for the order of its maps, which is random."""

import re
from dataclasses import dataclass, field

from .registry import Machine, Unit
from .unitfile import Option

SCHEDULE, UNSCHEDULE, RESCHEDULE = "schedule", "unschedule", "reschedule"


@dataclass
class Requirements:
    """What the X-Fleet section of a unit asks for."""

    machine: str | None = None
    metadata: dict[str, set[str]] = field(default_factory=dict)  # any of the values, of each of the keys
    peers: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    everywhere: bool = False


def requirements(name: str, options: list[Option]) -> Requirements:
    said: dict[str, list[str]] = {}
    for option in options:
        if option.section == "X-Fleet":
            values = [_specified(value, name) for value in multiple(option.value)]
            said.setdefault(option.name, []).extend(values)
    machine = next(
        (said[key][0] for key in ("MachineID", "X-ConditionMachineID", "X-ConditionMachineBootID") if key in said), None
    )
    metadata: dict[str, set[str]] = {}
    for pair in said.get("X-ConditionMachineMetadata", []) + said.get("MachineMetadata", []):
        parts = pair.split("=")
        if len(parts) == 2 and all(parts):
            metadata.setdefault(parts[0], set()).add(parts[1])
    conflicts = [word for value in said.get("X-Conflicts", []) + said.get("Conflicts", []) for word in value.split()]
    peers = said.get("X-ConditionMachineOf", []) + said.get("MachineOf", [])
    everywhere = said.get("Global", [""])[-1].lower() in ("true", "yes", "1", "on", "t")
    return Requirements(machine, metadata, peers, conflicts, said.get("Replaces", []), everywhere)


def multiple(line: str) -> list[str]:
    """The values of a line such as `"a=b" "c=d"`; any other line is one value."""
    if not (line.startswith('"') and line.endswith('"')):
        return [line]
    values, value, inside = [], "", False
    for char in line:
        if char == '"':
            inside = not inside
        elif char == " " and not inside:
            values.append(value)
            value = ""
        else:
            value += char
    return [*values, value]


def _specified(value: str, name: str) -> str:
    bare = name.rpartition(".")[0]
    prefix, _, instance = bare.partition("@")
    for specifier, meaning in (("%n", name), ("%N", bare), ("%p", prefix), ("%i", instance)):
        value = value.replace(specifier, meaning)
    return value


def matches(glob: str, name: str) -> bool:
    """Go's path.Match: * and ? stop at a slash; a pattern that is broken matches nothing."""
    pattern, at = "", 0
    while at < len(glob):
        char = glob[at]
        if char == "*":
            pattern += "[^/]*"
        elif char == "?":
            pattern += "[^/]"
        elif char == "\\" and at + 1 < len(glob):
            at += 1
            pattern += re.escape(glob[at])
        elif char == "[" and (end := glob.find("]", at + 2)) > 0:
            inside = glob[at + 1 : end]
            pattern += (
                "["
                + ("^" if inside.startswith("^") else "")
                + re.sub(r"([\\\[\]&~|])", r"\\\1", inside.lstrip("^"))
                + "]"
            )
            at = end
        else:
            pattern += re.escape(char)
        at += 1
    try:
        return re.fullmatch(pattern, name, re.DOTALL) is not None
    except re.error:
        return False


@dataclass
class Load:
    """A machine and the units that are meant for it."""

    machine: Machine
    units: dict[str, Requirements] = field(default_factory=dict)

    def has_metadata(self, wanted: dict[str, set[str]]) -> bool:
        return all(self.machine.metadata.get(key) in values for key, values in wanted.items())

    def conflict(self, name: str, globs: list[str]) -> bool:
        """Whether any unit here refuses this one, or this one it."""
        return any(
            other != name and (any(matches(g, name) for g in theirs.conflicts) or any(matches(g, other) for g in globs))
            for other, theirs in self.units.items()
        )

    def replaced(self, name: str, globs: list[str]) -> str | None:
        """The unit here that one of the two makes room for the other; in a circle neither does."""
        for other, theirs in sorted(self.units.items()):
            ours_matches = any(matches(glob, other) for glob in globs)
            theirs_matches = any(matches(glob, name) for glob in theirs.replaces)
            if other != name and ours_matches != theirs_matches:
                return other
        return None

    def able(self, name: str, wanted: Requirements) -> str:
        if wanted.machine is not None and wanted.machine not in (self.machine.id, self.machine.id[:8]):
            return UNSCHEDULE
        if not self.has_metadata(wanted.metadata) or any(peer not in self.units for peer in wanted.peers):
            return UNSCHEDULE
        if self.conflict(name, wanted.conflicts):
            return UNSCHEDULE
        return RESCHEDULE if self.replaced(name, wanted.replaces) else SCHEDULE


class Cluster:
    """All units and machines as the engine sees them; plan() says what it does about them."""

    def __init__(self, units: list[Unit], machines: list[Machine]) -> None:
        self.machines = machines
        self.wanted = {unit.name: requirements(unit.name, unit.options) for unit in units}
        self.jobs = {unit.name: unit for unit in units if not self.wanted[unit.name].everywhere}
        self.everywhere = sorted(unit.name for unit in units if self.wanted[unit.name].everywhere)
        self.target = {name: unit.machine for name, unit in self.jobs.items()}

    def loads(self) -> dict[str, Load]:
        loads = {machine.id: Load(machine) for machine in self.machines}
        for name, unit in self.jobs.items():
            if self.target[name] in loads and unit.target_state != "inactive":
                loads[self.target[name]].units[name] = self.wanted[name]
        for name in self.everywhere:
            for load in loads.values():
                wanted = self.wanted[name]
                if load.has_metadata(wanted.metadata) and not load.conflict(name, wanted.conflicts):
                    load.units[name] = wanted
        return loads

    def plan(self) -> list[tuple[str, str, str]]:
        """(schedule or unschedule, unit, machine), in order."""
        steps: list[tuple[str, str, str]] = []
        for name in sorted(self.jobs):
            if self.target[name]:
                self._review(name, steps)
        for name in sorted(self.jobs):
            if not self.target[name] and self.jobs[name].target_state != "inactive":
                found = next(
                    (load for load in self._emptiest() if load.able(name, self.wanted[name]) != UNSCHEDULE), None
                )
                if found:
                    steps.append((SCHEDULE, name, found.machine.id))
                    self.target[name] = found.machine.id
        return steps

    def _review(self, name: str, steps: list) -> None:
        """Whether a unit may stay where it is."""
        here = self.loads().get(self.target[name])
        if self.jobs[name].target_state == "inactive" or here is None:
            action = UNSCHEDULE
        else:
            action = here.able(name, self.wanted[name])
        if action == UNSCHEDULE:
            steps.append((UNSCHEDULE, name, self.target[name]))
            self.target[name] = ""
        elif action == RESCHEDULE:
            self._make_room(name, here, steps)

    def _make_room(self, name: str, here: Load, steps: list) -> None:
        """The unit that gives way goes to the emptiest of the other machines, whatever it itself asks for."""
        other = here.replaced(name, self.wanted[name].replaces)
        elsewhere = next((load for load in self._emptiest() if load.machine.id != here.machine.id), None)
        steps.append((UNSCHEDULE, other, here.machine.id))
        if elsewhere and other in self.target:
            steps.append((SCHEDULE, other, elsewhere.machine.id))
            self.target[other] = elsewhere.machine.id

    def _emptiest(self) -> list[Load]:
        return sorted(self.loads().values(), key=lambda load: (len(load.units), load.machine.id))


def names_clash(peers: list[str], globs: list[str]) -> tuple[str, str] | None:
    """The first peer that a glob matches, and the glob."""
    return next(((peer, glob) for peer in peers for glob in globs if matches(glob, peer)), None)
