"""fleet's agent: what runs on this node, and what the others are told of it."""

import contextlib
import logging
from collections.abc import Callable

from .etcd_keys import Lost, Missing
from .placement import Load, requirements
from .registry import Registry, State, Unit
from .systemd import Failed

UNLOAD, LOAD, RELOAD, STOP, START = range(5)  # in the order in which one pass does them
log = logging.getLogger("agent")


class Agent:
    def __init__(self, registry: Registry, systemd, machine: str) -> None:
        self.registry, self.systemd, self.machine = registry, systemd, machine
        self.carried_out: dict[str, str] = {}  # unit -> loaded or launched; empty again when the daemon restarts
        self._subscribed: set[str] = set()
        self._last_subscribed: set[str] = set()
        self._published: dict[str, State | None] = {}

    def reconcile(self) -> None:
        """One pass: bring systemd nearer to what the registry wants. The first task that fails ends it."""
        try:
            wanted = self._wanted()
            present = self._present()
        except (Lost, Missing, Failed) as error:
            log.info("no pass: %r", error)
            return
        self._do(self._tasks(wanted, present))

    def purge(self) -> bool:
        """One attempt to unload everything; whether something is left."""
        names = self.systemd.names()
        self._do([(UNLOAD, name, None) for name in names])
        return bool(self.systemd.names())

    def beat(self) -> None:
        """Say again of every launched unit that it is this node that runs it."""
        for name, state in list(self.carried_out.items()):
            if state == "launched":
                with contextlib.suppress(Lost):
                    self.registry.beat_unit(name, self.machine)

    def publish(self) -> None:
        """Tell what has changed in the states of our units."""
        subscribed = set(self._subscribed)
        try:
            states = self._states(sorted(subscribed))
        except Failed as error:
            log.info("no states: %s", error)
            return
        finally:
            gone, self._last_subscribed = self._last_subscribed - subscribed, subscribed
        for name, state in list(states.items()) + [(name, None) for name in gone]:
            if name not in self._published or self._published[name] != state:
                self._published[name] = state
                self._tell(name, state)

    def publish_all(self) -> None:
        """Tell all again, before it ends."""
        for name, state in list(self._published.items()):
            self._tell(name, state)
            if state is None:
                del self._published[name]

    def forget_states(self) -> None:
        for name in list(self._published):
            self._tell(name, None)

    def _tell(self, name: str, state: State | None) -> None:
        with contextlib.suppress(Lost):
            if state is None:
                self.registry.remove_state(name)
            elif state.hash:
                self.registry.save_state(state)

    def _states(self, names: list[str]) -> dict[str, State]:
        found = self.systemd.states(names)
        return {name: State(name, self.machine, *found[name], self.systemd.hashes.get(name, "")) for name in found}

    def _wanted(self) -> dict[str, Unit]:
        here = Load(self.registry.machine(self.machine))
        wanted = {}
        for unit in self.registry.units():
            asks = requirements(unit.name, unit.options)
            if not here.has_metadata(asks.metadata) if asks.everywhere else unit.machine != self.machine:
                continue
            if not here.conflict(unit.name, asks.conflicts):
                here.units[unit.name] = asks
                wanted[unit.name] = unit
        return wanted

    def _present(self) -> dict[str, tuple[str, str]]:
        """Unit -> (inactive, loaded or launched; hash), by the files that are here."""
        states = self.systemd.states(self.systemd.names())
        return {name: (self.carried_out.get(name, "inactive"), self.systemd.hashes.get(name, "")) for name in states}

    def _tasks(self, wanted: dict[str, Unit], present: dict[str, tuple[str, str]]) -> list[tuple]:
        tasks: list[tuple] = []
        for name in sorted(set(wanted) | set(present)):
            tasks += self._tasks_of(name, wanted.get(name), present.get(name))
        if any(task[0] in (UNLOAD, LOAD) for task in tasks):
            tasks.append((RELOAD, "", None))
        return sorted(tasks, key=lambda task: task[0])

    def _tasks_of(self, name: str, wanted: Unit | None, present: tuple[str, str] | None) -> list[tuple]:
        if wanted is None or wanted.target_state == "inactive":
            return [(UNLOAD, name, None)] if present else []
        load = [(LOAD, name, wanted.options)]
        start = [(START, name, None)] if wanted.target_state == "launched" else []
        if present is None:
            return load + start
        state, digest = present
        if digest != wanted.hash:
            return [(UNLOAD, name, None), *load, *start]
        if state == "inactive":
            return load + start
        if state == "loaded":
            return start
        return [(STOP, name, None)] if wanted.target_state == "loaded" else []

    def _do(self, tasks: list[tuple]) -> None:
        calls: dict[int, Callable] = {
            UNLOAD: lambda name, _: self._unload(name),
            LOAD: self._load,
            RELOAD: lambda *_: self.systemd.reload(),
            STOP: lambda name, _: self._stop(name),
            START: lambda name, _: self._start(name),
        }
        for kind, name, options in tasks:
            try:
                calls[kind](name, options)
            except (Failed, Lost) as error:
                log.info("task %s of %s failed, the pass ends: %r", kind, name, error)
                return

    def _load(self, name: str, options: list) -> None:
        self.carried_out[name] = "loaded"
        self._subscribed.add(name)
        self.systemd.write(name, options)

    def _unload(self, name: str) -> None:
        """A unit that systemd does not stop keeps its file, else nobody could stop it later."""
        with contextlib.suppress(Lost):
            self.registry.clear_unit_beat(name)
        self.carried_out.pop(name, None)
        try:
            self.systemd.stop(name)
        except Failed as error:
            log.info("%s", error)
            return
        finally:
            self._subscribed.discard(name)
        self.systemd.remove(name)

    def _start(self, name: str) -> None:
        self.carried_out[name] = "launched"
        with contextlib.suppress(Lost):
            self.registry.beat_unit(name, self.machine)
        self.systemd.start(name)

    def _stop(self, name: str) -> None:
        self.carried_out[name] = "loaded"
        with contextlib.suppress(Lost):
            self.registry.clear_unit_beat(name)
        self.systemd.stop(name)
