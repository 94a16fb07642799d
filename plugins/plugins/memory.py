"""A scheduler and a router in memory, for trying a plugin without docker and nginx.

A process is a socket that listens on a loopback address: what waits for a port to accept finds it. Where the host has
that port in use on all its addresses, another one leads there, as on a cluster.
"""

import dataclasses
import itertools
import os
import socket

from minipaas_lib import api


class MemoryScheduler:
    def __init__(self) -> None:
        self._processes: dict[str, api.Process] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._numbers = itertools.count(2)
        # another of these that runs meanwhile, on the same host, has addresses of its own
        self._network = f"127.{64 + (os.getpid() >> 8) % 128}.{os.getpid() % 256}"
        self._detached: list[api.Detached] = []

    def has_image(self, image):
        return True

    def start(self, spec):
        if spec.name in self._processes:
            raise api.errors.DeployFailed(f"another container has the name {spec.name}")
        address = f"{self._network}.{next(self._numbers) % 250 + 2}"
        ports: tuple[tuple[int, int], ...] = ()
        if spec.port:
            self._sockets[spec.name] = listening = _listen(address, spec.port)
            taken = listening.getsockname()[1]
            ports = tuple((port, taken) for port in sorted({spec.port, *spec.ports}) if port != taken)
        made = api.Process(
            name=spec.name,
            app=spec.app,
            release=spec.release,
            process_type=spec.process_type,
            index=spec.index,
            id="memory-" + spec.name,
            address=address,
            port=spec.port,
            state="running",
            started="2026-01-01T00:00:00Z",
            ports=ports,
        )
        self._processes[spec.name] = made
        return made

    def adopt(self, processes):
        self._mark(processes, True)

    def disown(self, processes):
        self._mark(processes, False)

    def _mark(self, processes, adopted):
        for process in processes:
            if process.name in self._processes:
                self._processes[process.name] = dataclasses.replace(self._processes[process.name], adopted=adopted)

    def stop(self, process, timeout=None):
        self._processes.pop(process.name, None)
        self._detached = [one for one in self._detached if one.process.name != process.name]
        listening = self._sockets.pop(process.name, None)
        if listening:
            listening.close()

    def tidy(self, app, every=False):
        """A run has ended when it returns; detached ones are kept until all are to go."""
        self._detached = [one for one in self._detached if not every or one.process.app != app]

    def refresh(self, process):
        return self._processes.get(process.name) or dataclasses.replace(process, state="missing", adopted=False)

    def processes(self, app=None):
        found = [p for p in self._processes.values() if app in (None, p.app)]
        return sorted(found, key=lambda p: (p.app, p.process_type, p.index, p.release))

    def diagnose(self, process, lines=20):
        return api.Diagnosis(self.refresh(process).state, 0, False, (), ())

    def run(self, spec, interactive=False, tty=False, ttl=None):
        return 0

    def task(self, spec, say):
        return 0

    def detach(self, spec, ttl=None):
        number = len(self._detached) + 1
        process = api.Process(
            name=f"{spec.app}.run.{number:04}",
            app=spec.app,
            release=spec.release,
            process_type="run",
            index=number,
            state="exited",
        )
        self._detached.append(
            api.Detached(process, str(spec.command), 0, "2026-01-01T00:00:00Z")
        )  # it has ended at once
        return self._detached[-1]

    def detached(self, app=None):
        return [one for one in self._detached if app in (None, one.process.app)]

    def probe(self, process, command, timeout):
        return 0, ""

    def enter(self, process, command, tty=False):
        return 0

    def logs(self, processes, lines=100):
        return []

    def stream(self, process, lines=100):
        return iter(())

    def follow(self, app, lines, process_type, index):
        return iter(())

    def inspect(self, process):
        return {"Name": process.name}

    def warm(self):
        """Nothing to load."""


def _listen(address: str, port: int) -> socket.socket:
    """Listen there, or on any port where that one is in use, or only root's."""
    try:
        return socket.create_server((address, port))
    except OSError:
        return socket.create_server((address, 0))


class MemoryRouter:
    def __init__(self) -> None:
        self._routes: dict[str, api.Route] = {}

    def apply(self, route):
        self._routes[route.app] = route

    def remove(self, app):
        self._routes.pop(app, None)

    def applied(self, app):
        return self._routes[app].generation if app in self._routes else ""

    def check(self, route=None):
        """It takes any route."""

    def placed(self, app):
        return self.applied(app)

    def routes(self):
        return sorted(self._routes)

    def warm(self):
        """Nothing to load."""
