"""What fleet keeps in etcd, under fleet's own keys and in its form: real daemons can work beside doubles."""

import contextlib
import json
from dataclasses import dataclass, field
from typing import NamedTuple

from . import unitfile
from .etcd_keys import Missing, Refused
from .unitfile import Option

PREFIX = "/_coreos.com/fleet"
STATES = ("inactive", "loaded", "launched")


class Poisoned(Exception):
    """The unit's target state in etcd is none that fleet knows."""


@dataclass
class Machine:
    id: str
    address: str
    metadata: dict[str, str]


@dataclass
class Unit:
    name: str
    options: list[Option]
    target_state: str = ""  # one of STATES, or "" where etcd has none yet
    machine: str = ""  # where it is scheduled to
    state: str = ""  # one of STATES: what was carried out; "" is not known
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        self.hash = unitfile.digest(self.options)


class State(NamedTuple):
    name: str
    machine: str
    load: str
    active: str
    sub: str
    hash: str


class Registry:
    def __init__(self, keys, ttl: float) -> None:
        self.keys, self.ttl = keys, ttl

    # -- units

    def units(self) -> list[Unit]:
        """All units with their schedule, sorted by name; without those that cannot be read."""
        folders = self._folder("job")
        if not folders:
            return []
        texts = {node.name: node.value for node in self.keys.get(f"{PREFIX}/unit", recursive=True, quorum=True).nodes}
        states = {(state.name, state.machine): state for state in self.states()}
        found = []
        for folder in folders:
            with contextlib.suppress(Poisoned):
                unit = _unit(folder, texts.get)
                if unit:
                    unit.state = _job_state(
                        folder.child("job-state"), unit.machine, (unit.name, unit.machine) in states
                    )
                    found.append(unit)
        return found

    def unit(self, name: str) -> Unit | None:
        """One unit. Raises Poisoned."""
        try:
            folder = self.keys.get(f"{PREFIX}/job/{name}", recursive=True)
        except Missing:
            return None
        unit = _unit(folder, self._text)
        if unit:
            reported = bool(unit.machine) and self._has(f"states/{name}/{unit.machine}")
            unit.state = _job_state(folder.child("job-state"), unit.machine, reported)
        return unit

    def create(self, name: str, options: list[Option], state: str) -> None:
        """Make or replace a unit; where it is scheduled to stays."""
        text = unitfile.serialize(options)
        digest = unitfile.digest(options)
        with contextlib.suppress(Refused):
            self.keys.set(f"{PREFIX}/unit/{digest}", json.dumps({"Raw": text}), exists=False)
        self.keys.set(
            f"{PREFIX}/job/{name}/object", json.dumps({"Name": name, "UnitHash": list(bytes.fromhex(digest))})
        )
        self.set_target_state(name, state)

    def set_target_state(self, name: str, state: str) -> None:
        self.keys.set(f"{PREFIX}/job/{name}/target-state", state)

    def destroy(self, name: str) -> None:
        self.keys.delete(f"{PREFIX}/job/{name}", recursive=True)

    def schedule(self, name: str, machine: str) -> None:
        self.keys.set(f"{PREFIX}/job/{name}/target", machine, exists=False)

    def unschedule(self, name: str, machine: str) -> None:
        with contextlib.suppress(Missing):
            self.keys.delete(f"{PREFIX}/job/{name}/target", value=machine)

    def beat_unit(self, name: str, machine: str) -> None:
        self.keys.set(f"{PREFIX}/job/{name}/job-state", machine, ttl=self.ttl)

    def clear_unit_beat(self, name: str) -> None:
        with contextlib.suppress(Missing):
            self.keys.delete(f"{PREFIX}/job/{name}/job-state")

    # -- states

    def states(self) -> list[State]:
        """What the agents published, sorted by unit and machine."""
        found = []
        for folder in self._folder("states"):
            for node in folder.nodes:
                said = json.loads(node.value)
                machine = (said.get("machineState") or {}).get("ID", "")
                found.append(
                    State(
                        folder.name, machine, said["loadState"], said["activeState"], said["subState"], said["unitHash"]
                    )
                )
        return sorted(found)

    def save_state(self, state: State) -> None:
        nobody = {"PublicIP": "", "Metadata": None, "Capabilities": None, "Version": ""}
        said = {
            "loadState": state.load,
            "activeState": state.active,
            "subState": state.sub,
            "machineState": {"ID": state.machine, **nobody},
            "unitHash": state.hash,
        }
        self.keys.set(f"{PREFIX}/state/{state.name}", json.dumps(said), ttl=self.ttl)
        self.keys.set(f"{PREFIX}/states/{state.name}/{state.machine}", json.dumps(said), ttl=self.ttl)

    def remove_state(self, name: str) -> None:
        """Forget a unit's state: that of all machines, though only one has unloaded it. So does fleet."""
        with contextlib.suppress(Missing):
            self.keys.delete(f"{PREFIX}/state/{name}")
        with contextlib.suppress(Missing):
            self.keys.delete(f"{PREFIX}/states/{name}", recursive=True)

    # -- machines

    def machines(self) -> list[Machine]:
        return [machine for folder in self._folder("machines") if (machine := _machine(folder))]

    def machine(self, machine: str) -> Machine | None:
        return _machine(self.keys.get(f"{PREFIX}/machines/{machine}", recursive=True))

    def register(self, machine: Machine) -> None:
        """Raises Refused while the key of a former life of the machine has not ended."""
        self.keys.set(f"{PREFIX}/machines/{machine.id}/object", _object(machine), ttl=self.ttl, exists=False)

    def beat(self, machine: Machine) -> None:
        key = f"{PREFIX}/machines/{machine.id}/object"
        try:
            self.keys.set(key, _object(machine), ttl=self.ttl, exists=True)
        except Missing:
            self.keys.set(key, _object(machine), ttl=self.ttl, exists=False)

    def forget_machine(self, machine: str) -> None:
        with contextlib.suppress(Missing):
            self.keys.delete(f"{PREFIX}/machines/{machine}/object")

    def set_metadata(self, machine: str, key: str, value: str) -> None:
        """Dynamic metadata; "" takes away what the machine itself says too."""
        self.keys.set(f"{PREFIX}/machines/{machine}/metadata/{key}", value)

    # -- the engine's lease

    def leader(self) -> tuple[str, int] | None:
        """Who leads, and the index of the lease."""
        try:
            node = self.keys.get(f"{PREFIX}/lease/engine-leader")
        except Missing:
            return None
        return json.loads(node.value)["MachineID"], node.index

    def lead(self, machine: str, ttl: float, index: int = 0) -> int:
        """Take the lease, or renew that of `index`; its index. Raises Refused."""
        value = json.dumps({"MachineID": machine, "Version": 1})
        exists = None if index else False
        return self.keys.set(f"{PREFIX}/lease/engine-leader", value, ttl=ttl, exists=exists, index=index)

    def resign(self, index: int) -> None:
        self.keys.delete(f"{PREFIX}/lease/engine-leader", index=index)

    def _folder(self, name: str) -> list:
        try:
            return self.keys.get(f"{PREFIX}/{name}", recursive=True).nodes
        except Missing:
            return []

    def _has(self, key: str) -> bool:
        try:
            self.keys.get(f"{PREFIX}/{key}")
        except Missing:
            return False
        return True

    def _text(self, digest: str) -> str | None:
        try:
            return self.keys.get(f"{PREFIX}/unit/{digest}").value
        except Missing:
            return None


def _unit(folder, text_of) -> Unit | None:
    """The unit of a job's folder; None while it is not whole. Raises Poisoned."""
    described = folder.child("object")
    if not described:
        return None
    described = json.loads(described)
    raw = text_of(bytes(described["UnitHash"]).hex())
    if raw is None:
        return None
    target = folder.child("target-state")
    if target and target not in STATES:
        raise Poisoned(target)
    return Unit(described["Name"], unitfile.deserialize(json.loads(raw)["Raw"]), target, folder.child("target"))


def _job_state(beat: str, machine: str, reported: bool) -> str:
    if not machine or not reported:
        return "inactive"
    return "launched" if beat == machine else "loaded"


def _machine(folder) -> Machine | None:
    described = folder.child("object")
    if not described:
        return None
    described = json.loads(described)
    metadata = dict(described.get("Metadata") or {})
    for node in next((node.nodes for node in folder.nodes if node.name == "metadata"), []):
        metadata[node.name] = node.value
        if not node.value:
            del metadata[node.name]
    return Machine(described["ID"], described["PublicIP"], metadata)


def _object(machine: Machine) -> str:
    said = {"ID": machine.id, "PublicIP": machine.address, "Metadata": machine.metadata, "Capabilities": {}}
    return json.dumps(said | {"Version": "1.0.0+double"})
