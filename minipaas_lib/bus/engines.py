"""The contracts of the exchangeable engines.

A plugin's `scheduler` or `router` hook returns an object that keeps one of them: Scheduler or Router. What an engine
may have beside is in FullScheduler and AskableRouter. It is used only through the functions at the end, which say what
stands for it where an engine has it not.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from minipaas_lib.model.process import ContainerSpec, Diagnosis, Process
from minipaas_lib.model.route import Route

AT_ONCE = 4  # processes started at the same time, where the scheduler names no other number


class LogLine(NamedTuple):
    process: Process
    time: str  # UTC, ISO 8601 with nanoseconds as docker gives it
    text: str


class Detached(NamedTuple):
    """A one-off process that outlives the command which started it."""

    process: Process  # `blog.run.0001`: its process type is "run", its index the number
    command: str  # on one line
    until: int  # when it is to end, seconds since 1970; 0 is never
    ended: str  # UTC, ISO 8601; empty while it runs


class Written(NamedTuple):
    """What a process has written since it was started."""

    files: tuple[str, ...]  # absolute paths in the files of its own that it added or changed
    volumes: tuple[str, ...]  # where volumes without a name are, which go with it, and it wrote into


class Scheduler(Protocol):
    """Runs processes. Every method raises errors.Unavailable when the engine does not answer."""

    def has_image(self, image: str) -> bool:
        """Whether processes of the image (its ID) can be started, without it being built again."""

    def start(self, spec: ContainerSpec) -> Process:
        """Create and start a container at an address of its own that it keeps for its life.

        It does not come back by itself until it is adopted. Raises errors.DeployFailed when the engine refuses to
        start it (no such command, no such image); nothing of it is left then.
        """

    def adopt(self, processes: list[Process]) -> None:
        """From now on the processes come back after a crash, and after a reboot without our help."""

    def disown(self, processes: list[Process]) -> None:
        """From now on the processes do not come back. They go on running."""

    def stop(self, process: Process, timeout: int | None = None) -> None:
        """SIGTERM, SIGKILL after `timeout` seconds (default: the container's own), and remove it. Absent is fine."""

    def tidy(self, app: str, every: bool = False) -> None:
        """End and remove the one-off runs of the app that nobody waits for, since their command was killed; or all.

        A detached one is ended when its time is up, and removed a day after its end.
        """

    def refresh(self, process: Process) -> Process:
        """The process as it is now; state "missing" when it is gone."""

    def processes(self, app: str | None = None) -> list[Process]:
        """All processes of the app, or of all apps, whatever their state; one-off runs are not in it.

        Sorted by app, process type, index and release.
        """

    def diagnose(self, process: Process, lines: int = 20) -> Diagnosis:
        """Why it failed, as far as the engine knows."""

    def run(self, spec: ContainerSpec, interactive: bool = False, tty: bool = False, ttl: int | None = None) -> int:
        """Run a one-off container attached to our stdin (if interactive) and stdout to its end; return its exit code.

        Its name is made unique; the container is removed however it ends: by itself, after `ttl` seconds (124 is
        returned then), by a signal to us, or because the reader of our stdout has gone (errors.Cancelled).
        """

    def task(self, spec: ContainerSpec, say: Callable[[str], None]) -> int:
        """Run a one-off container to its end, giving each line it prints to `say`; return its exit code.

        As with run, its name is made unique and nothing of it is left.
        """

    def detach(self, spec: ContainerSpec, ttl: int | None = None) -> Detached:
        """Start a one-off container, nobody attached, that goes on when we have ended; it does not come back by itself.

        Its name is `<app>.run.<number>`, four digits at least. It stays when it has ended, for its output and exit
        code; stop() ends and removes it, and tidy(), also once `ttl` seconds have passed. Raises errors.DeployFailed.
        """

    def detached(self, app: str | None = None) -> list[Detached]:
        """The detached runs of the app, or of all apps, whatever their state; by app and number."""

    def probe(self, process: Process, command: list[str], timeout: float) -> tuple[int, str]:
        """Run a command inside a running process, without a terminal; its exit code and the end of what it printed.

        After `timeout` seconds it is ended and the exit code is 124. A command that cannot be run has 126 or 127.
        """

    def enter(self, process: Process, command: list[str], tty: bool = False) -> int:
        """Run a command inside a running process, attached; return its exit code. No command: a shell."""

    def logs(self, processes: list[Process], lines: int | None = 100) -> list[LogLine]:
        """The last `lines` lines of each process, all merged by time."""

    def stream(self, process: Process, lines: int | None = 100) -> Iterator[LogLine]:
        """The last lines of one process, detached runs too, then new ones as they come, until it ends."""

    def follow(self, app: str, lines: int, process_type: str | None, index: int | None) -> Iterator[LogLine]:
        """As logs, then new lines of all processes as they come, of processes started later too. Endless.

        Called only in a process that gevent has patched.
        """

    def inspect(self, process: Process) -> dict:
        """The engine's own description with all environment values hidden."""

    def warm(self) -> None:
        """Do ahead what the first call needs, while a build keeps the command waiting. What it raises is not heard."""


class Machine(Protocol):
    """A machine that processes can be placed on."""

    @property
    def id(self) -> str:
        """Also the `node` of a process there."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """What it is marked with; `node` is what people call it."""


class Machines(Protocol):
    """The machines of a scheduler."""

    def all(self) -> list[Machine]:
        """Those that it hears of, by name; also those that processes are not placed on now."""


class FullScheduler(Scheduler, Protocol):
    """A scheduler with all that one need not have."""

    @property
    def at_once(self) -> int:
        """How many calls of start() are worth making at the same time."""

    @property
    def machines(self) -> Machines:
        """Where processes can be placed."""

    def node_name(self, node: str) -> str:
        """What people call the node of a process."""

    def written(self, process: Process, timeout: float) -> Written:
        """Data that goes with the process, as far as it is found within about `timeout` seconds."""


class Router(Protocol):
    """Sends requests to processes. What it may do beside is in AskableRouter."""

    def apply(self, route: Route) -> None:
        """Put a route in place of the app's present one in one atomic change, and prove that it serves.

        One that is withheld sends no requests anywhere: the router itself says at the domains why, and no other app
        answers there. It has no listeners, and where nothing stands in its way it needs no interruption.

        Raises errors.Unavailable when the router cannot be reloaded, errors.BadConfig when it refuses the route; in
        both cases the former route is still in place.
        """

    def remove(self, app: str) -> None:
        """Take the app's route away. None there is fine."""

    def applied(self, app: str) -> str:
        """The generation of the route that answers now, or an empty string."""

    def routes(self) -> list[str]:
        """The apps that have a route, withheld ones too, sorted."""

    def warm(self) -> None:
        """Do ahead what check() and apply() will need, while a build keeps the command waiting.

        What it raises is not heard.
        """


class AskableRouter(Router, Protocol):
    """A router that can be asked. One that cannot is taken to agree, and to keep what it was told last."""

    def check(self, route: Route | None = None) -> None:
        """Raise what apply() would raise for the route, as far as that can be told before; nothing is changed by it.

        Asked before anything is started, with stand-ins for addresses that are not known yet. Without a route: whether
        the router takes changes at all, which costs next to nothing.
        """

    def placed(self, app: str) -> str:
        """The generation of the route that is in place, or an empty string: it answers as soon as the router runs."""


def at_once(scheduler: Scheduler) -> int:
    """See FullScheduler; four where the scheduler does not say."""
    return getattr(scheduler, "at_once", AT_ONCE)


def machines(scheduler: Scheduler) -> list[Machine]:
    """See FullScheduler; none where all processes are on this host."""
    there: Machines | None = getattr(scheduler, "machines", None)
    return there.all() if there else []


def node_name(scheduler: Scheduler, node: str) -> str:
    """See FullScheduler; the node itself where the scheduler has no name for it."""
    return getattr(scheduler, "node_name", str)(node)


def written(scheduler: Scheduler) -> Callable[[Process, float], Written] | None:
    """See FullScheduler; None where the scheduler cannot tell."""
    return getattr(scheduler, "written", None)


def check(router: Router, route: Route | None = None) -> None:
    """See AskableRouter; one that cannot be asked agrees."""
    if ask := getattr(router, "check", None):
        ask(route)


def placed(router: Router, app: str) -> str | None:
    """See AskableRouter; None where the router cannot tell."""
    ask = getattr(router, "placed", None)
    return ask(app) if ask else None
