"""The Scheduler contract (see minipaas_lib.bus.engines) kept with fleet: each process is a unit on some node.

What exists is what fleet has as units; how it is, and where it is reached, is what the nodes' agents tell in the store.
Inside a node everything is done by the scheduler of this host, `local`, working on the node's docker.
"""

import contextlib
import dataclasses
import threading
import time
import tomllib
from collections.abc import Collection

from minipaas_lib import api
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.fleet import client, handover, image_sync, machines, nodes, state_poller, units

# Seconds until fleet must have found a machine for a unit. Its engine looks every two; but a machine that has just been
# lost is given units, too, until it counts as lost: after fleet's TTL, which cluster:cloud-config sets to 60.
PLACED = 75.0
SETTLED = 8.0  # seconds until a failure that fleet tells of is one of this start: its agents act every five
LINGER = 30.0  # ... and until "failed" is: a machine's last word of a former unit of the name, fleet's TTL long
STARTED = 300.0  # seconds until the agent of that machine must tell of the process
GONE = 30.0  # seconds, beside the stop timeout, until a unit that was destroyed must have stopped
ALIVE = ("active", "activating", "deactivating", "reloading")  # what systemd says of a unit that may still run
AT_ONCE = 16  # units on their way at the same time: fleet takes seconds for each, and does not take longer for many
GATHER = 10  # nodes asked at the same time


class FleetScheduler:
    """A ClusterEngine: runs each process as a unit; one-off runs too go to a node."""

    at_once = AT_ONCE

    def __init__(self, local: LocalScheduler, fleet: client.Fleet, store, near: nodes.Nodes) -> None:
        self.local, self._fleet, self._store, self._nodes = local, fleet, store, near
        self._poller = state_poller.Poller(fleet.states)
        self._bringing = threading.Lock()  # processes start at the same time, and have one image
        self.machines = machines.Machines(fleet, lambda: local.interface())

    def has_image(self, image: str) -> bool:
        return self.local.has_image(image) or any(self._nodes.on(m).has_image(image) for m in self._nodes.all())

    def have_image(self, image: str) -> None:
        """Have the image on this host, from a node if it must be. Raises errors.Unavailable."""
        if self.local.has_image(image):
            return
        source = next((on for on in map(self._nodes.on, self._nodes.all()) if on.has_image(image)), None)
        if source is None:
            raise api.errors.Unavailable(f"no node has the image {image}", "cluster:init")
        self.local.take_image(source.give_image(image))

    def bring_images(self) -> None:
        """Have on the nodes all that this host keeps of apps, so that each can go back without it.

        Where that fails, it is told of: nothing runs them. Raises errors.Unavailable without a docker here.
        """
        for image, app in image_sync.needed(self.local.images(), set()).items():
            try:
                self._bring(image, self._fitting(app), app)
            except api.errors.MinipaasError as error:
                api.output.warn(f"{app}: {error.message}")

    def catch_up(self) -> None:
        """On a node itself: have what the others keep of apps that may run here. Raises errors.Unavailable."""
        here = self.this_machine()
        on = self.local.elsewhere("", here.address, here.id)
        image_sync.catch_up(on, self._nodes, here.id, lambda app: nodes.fits(here, nodes.tags(app)))

    def node_images(self, among: Collection[str]) -> dict[str, dict[str, str]]:
        """The images on each of these nodes that answers, by its id: see DockerScheduler.images."""
        return dict(self._everywhere(lambda on: (on.node, on.images()), among))

    def drop_unused_images(self, app: str, kept: set[str], newest: int) -> list[str]:
        """Remove old images of an app from the nodes: see images.drop_unused.

        A node that does not answer keeps them.
        """
        return image_sync.drop_unused(self._everywhere, app, kept, newest)

    def start(self, spec: "api.ContainerSpec") -> "api.Process":
        fitting = self._fitting(spec.app)
        self._bring(spec.image, fitting, spec.app)
        only = tuple(machine.id for machine in fitting) if nodes.drained(self._store) else ()
        asked_for = nodes.tags(spec.app) | self._membership(fitting)
        options = units.process_unit(spec, nodes.image(self._store), asked_for, len(fitting), only)
        unit = units.unit_name(spec.name)
        self._forget(spec)  # what was told of a former process of that name
        asked = time.monotonic()
        self._fleet.submit(unit, options)
        try:
            self._poller.wait(
                lambda view: view.of(unit) or self._one(spec), PLACED, f"fleet to find a machine for {spec.name}"
            )
            made = self._poller.wait(lambda view: self._started(spec, view, asked), STARTED, f"{spec.name} to start")
        except BaseException:
            self._fleet.destroy(unit)
            raise
        with contextlib.suppress(api.errors.Unavailable):  # it runs, whatever else there is to be said
            self._tell_of_neighbours(made, len(fitting))
        return made

    def node_name(self, node: str) -> str:
        """What people call a machine."""
        return "no node yet" if node == nodes.NOWHERE else self._nodes.name(node)

    def _tell_of_neighbours(self, process: "api.Process", count: int) -> None:
        """Warn where processes of a type, no more than the `count` of nodes, share a node: its loss is that of both."""
        if process.index > count:
            return
        view, stem = self._poller.look(), process.name.rpartition(".")[0]
        for index in range(1, count + 1):
            states = view.of(units.unit_name(f"{stem}.{index}")) if index != process.index else ()
            if any(state.machine == process.node and state.active in ALIVE for state in states):
                kind, node = process.process_type, self._nodes.name(process.node)
                api.output.info(f"{kind}.{process.index} shares {node} with {kind}.{index}")

    def prepare(self, spec: "api.ContainerSpec") -> str:
        """On the node itself: make the container that a unit is about to start, its image brought here; its id.

        Raises errors.DeployFailed.
        """
        here = self.this_machine()
        on = self.local.elsewhere("", here.address, here.id)
        image_sync.fetch(on, self._nodes, spec.image, here.id, spec.app)
        return on.prepare(spec)

    def hand_over(self, app: str, name: str) -> bool:
        """On the node itself, before a process is stopped there: see handover.wait. Raises errors.Unavailable."""

        def look():
            return self._fleet.unit(units.unit_name(name)), self._told(app).get(name)

        return handover.wait(look, nodes.machine_id(), handover.accepts)

    def adopt(self, processes: list["api.Process"]) -> None:
        """Units come back by themselves from the start on."""
        self.local.adopt([process for process in processes if not process.node])
        known = {unit.name for unit in self._fleet.units()} if any(p.node for p in processes) else set()
        for process in processes:
            if process.node and units.unit_name(process.name) not in known:
                raise api.errors.Unavailable(f"{process.name} was removed by somebody", f"ps:restart {process.app}")

    def disown(self, processes: list["api.Process"]) -> None:
        self.local.disown([process for process in processes if not process.node])

    def stop(self, process: "api.Process", timeout: int | None = None) -> None:
        if not process.node:
            self.local.stop(process, timeout)
            return
        asked = time.monotonic()
        self._fleet.destroy(units.unit_name(process.name))
        unit, near = units.unit_name(process.name), self._nodes.find(process.node)
        if near is None:  # the node is lost; its agent removes the container should it come back
            return
        # Not before systemd has let go of it: it would start what we stop.
        self._poller.wait(
            lambda view: view.taken >= asked and not any(s.active in ALIVE for s in view.of(unit)),
            GONE + (api.ContainerSpec.stop_timeout if timeout is None else timeout),
            f"{process.name} to stop",
        )
        self._nodes.on(near).stop(process, timeout)
        self._forget(process)

    def tidy(self, app: str, every: bool = False) -> None:
        self.local.tidy(app, every)
        self._everywhere(lambda on: on.tidy(app, every))

    def refresh(self, process: "api.Process") -> "api.Process":
        if not process.node:
            return self.local.refresh(process)
        told = self._one(process)
        if told is not None:
            return told
        processes = {one.name: one for one in self.processes(process.app)}
        return processes.get(process.name) or dataclasses.replace(process, state="missing", adopted=False)

    def processes(self, app: str | None = None) -> list["api.Process"]:
        told = self._told(app)
        processes = list(self.local.processes(app))
        for unit in self._fleet.units():
            parts = units.process_of(unit.name)
            if parts is None or app not in (None, parts[0]):
                continue
            name = unit.name.removesuffix(units.SUFFIX)
            processes.append(told.get(name) or self._silent(name, parts, unit))
        return sorted(processes, key=lambda one: (one.app, one.process_type, one.index, one.release))

    def diagnose(self, process: "api.Process", lines: int = 20) -> "api.Diagnosis":
        return self._beside(process).diagnose(process, lines)

    def run(
        self, spec: "api.ContainerSpec", interactive: bool = False, tty: bool = False, ttl: int | None = None
    ) -> int:
        return self._somewhere(spec).run(spec, interactive, tty, ttl)

    def task(self, spec: "api.ContainerSpec", say) -> int:
        return self._somewhere(spec).task(spec, say)

    def detach(self, spec: "api.ContainerSpec", ttl: int | None = None) -> "api.Detached":
        return self._somewhere(spec).detach(spec, ttl, self._take_number(spec.app))

    def detached(self, app: str | None = None) -> list["api.Detached"]:
        runs = [one for several in self._everywhere(lambda on: on.detached(app)) for one in several]
        return sorted([*self.local.detached(app), *runs], key=lambda one: (one.process.app, one.process.index))

    def probe(self, process: "api.Process", command: list[str], timeout: float) -> tuple[int, str]:
        return self._beside(process).probe(process, command, timeout)

    def enter(self, process: "api.Process", command: list[str], tty: bool = False) -> int:
        return self._beside(process).enter(process, command, tty)

    def logs(self, processes: list["api.Process"], lines: int | None = 100) -> list["api.LogLine"]:
        log_lines = [line for process in processes for line in self._beside(process).logs([process], lines)]
        return sorted(log_lines, key=lambda line: line.time)

    def stream(self, process: "api.Process", lines: int | None = 100):
        yield from self._beside(process).stream(process, lines)

    def follow(self, app: str, lines: int, process_type: str | None = None, index: int | None = None):
        from plugins.cluster.fleet import merged_logs

        sources = [self.local, *(self._nodes.on(machine) for machine in self._nodes.all())]
        yield from merged_logs.merged([source.follow(app, lines, process_type, index) for source in sources])

    def inspect(self, process: "api.Process") -> dict:
        return self._beside(process).inspect(process)

    def warm(self) -> None:
        self._nodes.all()

    def this_machine(self) -> client.Machine:
        """The machine that we run on, if it is a node. Raises errors.Unavailable."""
        return nodes.this_machine(self._nodes)

    # -- what fleet and the nodes say

    def _started(self, spec: "api.ContainerSpec", view: state_poller.View, asked: float) -> "api.Process | None":
        """The process once its node tells of it. Raises errors.DeployFailed when systemd could not start it."""
        name, process = spec.name, self._one(spec)
        if process is not None and process.state != "created":
            return process
        failing = [
            state
            for state in view.of(units.unit_name(name))
            if "failed" in (state.active, state.sub) or state.sub == "auto-restart"
        ]
        # Not at once: what a machine said of a former unit of that name stays for a while. What systemd starts again
        # was started, by its restart policy; what has failed may still wait for its first start.
        patience = SETTLED if failing and failing[0].sub == "auto-restart" else LINGER
        if failing and view.taken > asked + patience and self._is_on(name, failing[0].machine):
            raise api.errors.DeployFailed(
                (
                    f"{name} cannot be started on node {self._nodes.name(failing[0].machine)}: its unit is "
                    f"{failing[0].sub}"
                ),
                f"logs:failed {spec.app}",
            )
        return None

    def _forget(self, process: "api.ContainerSpec | api.Process") -> None:
        with contextlib.suppress(api.errors.NotFound):
            self._store.delete(f"{api.kernel.service.FOLDER}/{process.app}/{process.name}")

    def _is_on(self, name: str, machine: str) -> bool:
        unit = self._fleet.unit(units.unit_name(name))
        return unit is not None and unit.machine == machine

    def _one(self, process: "api.ContainerSpec | api.Process") -> "api.Process | None":
        """What the agent tells of one process."""
        try:
            text = self._store.read(f"{api.kernel.service.FOLDER}/{process.app}/{process.name}").text
            return api.kernel.service.from_document(process.name, tomllib.loads(text))
        except (api.errors.NotFound, api.errors.InvalidFile, ValueError):
            return None

    def _told(self, app: str | None) -> dict[str, "api.Process"]:
        """What the agents tell of processes, by name; what is no agent's document is passed over."""
        folder = f"{api.kernel.service.FOLDER}/{app}" if app else api.kernel.service.FOLDER
        processes = {}
        for path, document in self._store.read_all(folder).documents.items():
            name = path.rpartition("/")[2]
            try:
                processes[name] = api.kernel.service.from_document(name, tomllib.loads(document.text))
            except (api.errors.InvalidFile, ValueError) as error:
                api.output.warn(f"{path} is skipped: {error}")
        return processes

    def _silent(self, name: str, parts: tuple, unit: client.Unit) -> "api.Process":
        """A process that no agent tells of: systemd's word for it."""
        app, release, kind, index = parts
        states = self._poller.look().of(unit.name)
        running = any(state.active == "active" for state in states)
        failed = any(state.active == "failed" for state in states)
        state = "running" if running else "exited" if failed else "created"
        port = self._port(app, release) if kind == "web" else 0
        return api.Process(
            name, app, release, kind, index, port=port, state=state, adopted=True, node=unit.machine or nodes.NOWHERE
        )

    def _port(self, app: str, release: int) -> int:
        try:
            return api.release(app, release).port
        except api.errors.NotFound:
            return 0

    def _fitting(self, app: str) -> list[client.Machine]:
        """The machines that the app's tags allow, less those that are drained.

        Raises errors.DeployFailed when there is none.
        """
        wanted, drained = nodes.tags(app), nodes.drained(self._store)
        present = [machine for machine in self._nodes.all() if machine.id not in drained]
        fitting = [machine for machine in present if nodes.fits(machine, wanted)]
        if not present:
            raise api.errors.DeployFailed("the cluster has no nodes yet", "cluster:status")
        if not fitting:
            asked = " ".join(f"{key}={value}" for key, value in sorted(wanted.items()))
            there = "; ".join(self._nodes.name(m.id) + ": " + nodes.described(m) for m in present)
            raise api.errors.DeployFailed(f"no node has {asked} (there are: {there})", f"tags:report {app}")
        return fitting

    def _membership(self, fitting: list[client.Machine]) -> dict[str, str]:
        """What else a unit asks for, so that fleet never moves it to a machine that is no node."""
        marked = all(machine.metadata.get(machines.MEMBER) == machines.YES for machine in fitting)
        return {machines.MEMBER: machines.YES} if marked else {}

    def _take_number(self, app: str) -> int:
        """A number for a detached run that no other has, on any node."""
        highest = max((one.process.index for one in self.detached(app)), default=0)
        path = f"apps/{app}/detached"
        while True:
            try:
                known = self._store.read(path)
                last, revision = int(known.text), known.revision
            except api.errors.NotFound:
                last, revision = 0, ""
            except ValueError:
                raise api.errors.BadConfig(f"{path} in the store does not hold a number", "write 0 there") from None
            number = max(last, highest) + 1
            try:
                self._store.write(path, f"{number}\n", revision)
                return number
            except api.errors.Conflict:  # another run was started meanwhile
                continue

    # -- the docker of nodes

    def _beside(self, process: "api.Process") -> LocalScheduler:
        """The scheduler that reaches a process's container. Raises errors.Unavailable when its node is lost."""
        if not process.node:
            return self.local
        machine = self._nodes.find(process.node)
        if machine is None:
            raise api.errors.Unavailable(f"the node of {process.name} is gone", "cluster:status")
        return self._nodes.on(machine)

    def _somewhere(self, spec: "api.ContainerSpec") -> LocalScheduler:
        """A scheduler on a node that may run a one-off of the app, its image brought there."""
        import random

        machine = random.choice(self._fitting(spec.app))  # to spread them, not to hide them
        self._bring(spec.image, [machine], spec.app)
        return self._nodes.on(machine)

    def _bring(self, image: str, machines: list[client.Machine], app: str) -> None:
        with self._bringing:
            image_sync.bring(self.local, self._nodes, image, machines, app)

    def _everywhere(self, call, among: Collection[str] | None = None) -> list:
        """What `call` returns for each node's scheduler; a node that does not answer is told of and passed over.

        `among` are the ids of the nodes to ask; all without it.
        """
        from concurrent.futures import ThreadPoolExecutor

        def asked(machine):
            try:
                return call(self._nodes.on(machine))
            except api.errors.Unavailable as error:
                api.output.warn(f"node {self._nodes.name(machine.id)} is skipped: {error.message}")
                return None

        with ThreadPoolExecutor(GATHER) as pool:
            machines = [machine for machine in self._nodes.all() if among is None or machine.id in among]
            return [answer for answer in pool.map(asked, machines) if answer is not None]
