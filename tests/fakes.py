"""A scheduler and a router that keep their contracts (see minipaas_lib.bus.engines) in memory."""

import dataclasses
import itertools

from minipaas_lib import errors
from minipaas_lib.bus.engines import Detached, LogLine
from minipaas_lib.model.process import ContainerSpec, Diagnosis, Process
from minipaas_lib.model.route import Route


class Broken:
    """Methods that a test has broken: `breaks["start"] = error` raises it at the next call, then heals."""

    def __init__(self) -> None:
        self.breaks: dict[str, BaseException] = {}
        self.calls: list[tuple[str, str]] = []  # (method, what)

    def _call(self, method: str, what: str) -> None:
        self.calls.append((method, what))
        if method in self.breaks:
            raise self.breaks.pop(method)


class FakeScheduler(Broken):
    """Processes are records; those of a type in `crashing` exit at once, those in `deaf` never accept."""

    def __init__(self) -> None:
        super().__init__()
        self.containers: dict[str, Process] = {}
        self.specs: dict[str, ContainerSpec] = {}
        self.crashing: set[str] = set()
        self.deaf: set[str] = set()
        self.gone: set[str] = set()  # images that have been removed
        self.run_code = 0
        self.detachments: dict[str, Detached] = {}
        self.task_codes: dict[str, int] = {}
        self.probes: list[tuple[int, str]] = []  # what the next probes answer; then all are fine
        self._addresses = itertools.count(2)

    def has_image(self, image):
        self._call("has_image", image)
        return image not in self.gone

    def start(self, spec):
        self._call("start", spec.name)
        if spec.name in self.containers:
            raise errors.DeployFailed(f"another container has the name {spec.name} and is in use")
        state, code = ("exited", 1) if spec.process_type in self.crashing else ("running", 0)
        process = Process(
            name=spec.name,
            app=spec.app,
            release=spec.release,
            process_type=spec.process_type,
            index=spec.index,
            id="id-" + spec.name,
            address=f"10.0.0.{next(self._addresses)}",
            port=spec.port,
            state=state,
            exit_code=code,
        )
        self.containers[spec.name] = process
        self.specs[spec.name] = spec
        return process

    def adopt(self, processes):
        self._adopted("adopt", processes, True)

    def disown(self, processes):
        self._adopted("disown", processes, False)

    def _adopted(self, method, processes, adopted):
        for process in processes:
            self._call(method, process.name)
            if process.name in self.containers:
                self.set(process.name, adopted=adopted)

    def stop(self, process, timeout=None):
        self._call("stop", process.name)
        self.containers.pop(process.name, None)
        self.detachments.pop(process.name, None)

    def tidy(self, app, every=False):
        self._call("tidy", app)
        if every:
            self.detachments = {name: one for name, one in self.detachments.items() if one.process.app != app}

    def refresh(self, process):
        self._call("refresh", process.name)
        return self.containers.get(process.name) or dataclasses.replace(process, state="missing", adopted=False)

    def processes(self, app=None):
        self._call("processes", app or "")
        return sorted((p for p in list(self.containers.values()) if app in (None, p.app)), key=lambda p: p.name)

    def diagnose(self, process, lines=20):
        now = self.refresh(process)
        return Diagnosis(now.state, now.exit_code, False, ("the last line",), ())

    def run(self, spec, interactive=False, tty=False, ttl=None):
        self._call("run", str(spec.command))
        return self.run_code

    def task(self, spec, say):
        self._call("task", str(spec.command))
        say(f"running {spec.command}")
        return self.task_codes.get(spec.command, 0)

    def detach(self, spec, ttl=None, number=1):
        self._call("detach", str(spec.command))
        number = max(len(self.detachments) + 1, number)
        process = Process(
            name=f"{spec.app}.run.{number:04}",
            app=spec.app,
            release=spec.release,
            process_type="run",
            index=number,
            id=f"id-run-{number}",
            state="running",
            started="2026-01-01T00:00:00Z",
        )
        self.detachments[process.name] = Detached(process, str(spec.command), ttl or 0, "")
        self.specs[process.name] = spec
        return self.detachments[process.name]

    def detached(self, app=None):
        self._call("detached", app or "")
        return [one for one in self.detachments.values() if app in (None, one.process.app)]

    def logs(self, processes, lines=100):
        return [LogLine(process, "2026-01-01T00:00:01.5Z", f"said by {process.name}") for process in processes]

    def stream(self, process, lines=100):
        yield from self.logs([process], lines)

    def probe(self, process, command, timeout):
        self._call("probe", " ".join(command))
        return self.probes.pop(0) if self.probes else (0, "")

    def inspect(self, process):
        return {"Name": process.name}

    def warm(self):
        self._call("warm", "")

    # what tests do and ask

    def end(self, name, code=0):
        """A detached run ends."""
        one = self.detachments[name]
        process = dataclasses.replace(one.process, state="exited", exit_code=code)
        self.detachments[name] = one._replace(process=process, ended="2026-01-01T00:01:00Z")

    def set(self, name, **changes):
        self.containers[name] = dataclasses.replace(self.containers[name], **changes)

    def accepts(self, backend, port):
        return any(
            p.backend == backend and p.port == port and p.state == "running" and p.process_type not in self.deaf
            for p in list(self.containers.values())
        )

    def names(self):
        return sorted(self.containers)

    def adopted(self):
        return sorted(name for name, process in self.containers.items() if process.adopted)


class FakeRouter(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.table: dict[str, Route] = {}
        self.withheld: dict[str, Route] = {}  # those that send no requests anywhere
        self.asked: list[Route] = []

    def apply(self, route):
        self._call("apply", route.app)
        self.table.pop(route.app, None)
        self.withheld.pop(route.app, None)
        (self.withheld if route.withheld else self.table)[route.app] = route

    def check(self, route=None):
        self._call("check", route.app if route else "")
        if route:
            self.asked.append(route)

    def placed(self, app):
        return self.table[app].generation if app in self.table else ""

    def warm(self):
        self._call("warm", "")

    def remove(self, app):
        self._call("remove", app)
        self.table.pop(app, None)
        self.withheld.pop(app, None)

    def applied(self, app):
        return self.table[app].generation if app in self.table else ""

    def routes(self):
        return sorted({*self.table, *self.withheld})
