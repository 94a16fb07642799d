"""Wait until new processes may take traffic: they pass the checks of app.json, and the port of web accepts.

A process without checks and without a port is ready once it has stayed up for a short time. A crash ends every wait.
"""

import time
from collections.abc import Callable

from minipaas_lib import errors, output
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.deploy import postmortem, probe
from minipaas_lib.deploy.probe import accepts
from minipaas_lib.model import healthcheck
from minipaas_lib.model.healthcheck import Check
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import Release

START_LIMIT = 60.0  # seconds until the port of a web process must accept
ELSEWHERE_LIMIT = 20.0  # the same if it already listens elsewhere
UP_TIME = 1.0  # seconds that a process without a port must stay up
LOOK_AGAIN = 10.0  # seconds between two diagnoses of a process whose port does not accept
STEP = 0.02  # seconds between two tries
CRASHED = ("exited", "missing", "restarting")
CRASH_LOOK = 0.2  # seconds between two checks whether it still runs

GivenUp = Callable[[], bool]


def never() -> bool:
    return False


def check_process(scheduler: Scheduler, release: Release, process: Process, given_up: GivenUp = never) -> Process:
    """Return the process, refreshed, once it passes all checks of its release.

    Raises errors.DeployFailed with the likely cause, errors.Cancelled if `given_up` returns that the deploy has failed
    elsewhere.
    """
    begun = time.monotonic() - age(process)
    documents = release.healthchecks.get(process.process_type, [])
    own = healthcheck.before_traffic([Check.from_document(document) for document in documents])
    for check in own:
        Attempts(scheduler, release, process, check, begun, given_up).run()
    if own and not process.port:
        return still_up(scheduler, process)
    return wait_ready(scheduler, process, given_up)


def still_up(scheduler: Scheduler, process: Process) -> Process:
    """The process, refreshed. Raises errors.DeployFailed if it has crashed."""
    process = scheduler.refresh(process)
    if process.state in CRASHED:
        raise postmortem.failure(process, scheduler.diagnose(process))
    return process


def started(process: Process) -> int | None:
    """When the process started, in seconds since 1970; None if unknown."""
    import calendar

    try:
        return calendar.timegm(time.strptime(process.started[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None


def age(process: Process) -> float:
    """Seconds since the process started; 0 if unknown."""
    at = started(process)
    return 0.0 if at is None else max(0.0, time.time() - at)


class Attempts:
    """The attempts of one check on one process."""

    def __init__(
        self, scheduler: Scheduler, release: Release, process: Process, check: Check, begun: float, given_up: GivenUp
    ) -> None:
        self.scheduler, self.process, self.check, self.given_up = scheduler, process, check, given_up
        self.begun = begun  # time.monotonic() when the process started
        self.port = check.port or release.port
        domains = [domain for domain in release.routing.get("domains", []) if not domain.startswith("*")]
        self.host = domains[0] if domains else "localhost"  # accepted by frameworks that check the Host header
        self.looked = begun

    @property
    def label(self) -> str:
        return f"{self.process.process_type}.{self.process.index}: check {self.check.name!r}"

    def run(self) -> None:
        """Try until the check passes. Raises errors.DeployFailed if it does not."""
        self.pause(self.check.initial_delay - (time.monotonic() - self.begun))
        if self.check.kind == "uptime":
            self.pause(self.check.uptime - (time.monotonic() - self.begun))
            self.check_running()
            return
        problem = ""
        for number in range(1, self.check.attempts + 1):
            problem = probe.in_time(self.attempt, self.check.timeout, self.stopped)
            self.check_running()
            if not problem:
                return
            if number < self.check.attempts:
                if number > 1 or not self.not_accepting(problem):  # expected of a process that has just started
                    output.info(f"{self.label}, attempt {number} of {self.check.attempts}: {problem}")
                self.pause(self.check.wait, until_accepting=self.not_accepting(problem))
        if self.check.warn:
            output.warn(f"{self.label} did not pass: {problem}")
            return
        times = "once" if self.check.attempts == 1 else f"{self.check.attempts} times"
        raise postmortem.failure(
            self.process, self.scheduler.diagnose(self.process), f"{self.label} failed {times}: {problem}"
        )

    def attempt(self) -> str:
        return probe.attempt(self.scheduler, self.process, self.check, self.port, self.host)

    def not_accepting(self, problem: str) -> bool:
        """Whether an attempt failed because the port does not accept yet."""
        return problem == probe.REFUSED or self.check.kind == "listening"

    def pause(self, seconds: float, until_accepting: bool = False) -> None:
        """Wait while watching for a crash; with `until_accepting` only until the port accepts."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check_running()
            if until_accepting and accepts(self.process.backend, self.port):
                return
            time.sleep(min(0.05, left))

    def stopped(self) -> bool:
        """Whether waiting for an answer has become pointless."""
        try:
            self.check_running()
        except errors.MinipaasError:
            return True
        return False

    def check_running(self) -> None:
        """Raise errors.Cancelled or errors.DeployFailed if the wait is over."""
        if self.given_up():
            raise errors.Cancelled(f"{self.process.name} was not waited for")
        if time.monotonic() - self.looked >= CRASH_LOOK or self.process.state in CRASHED:
            self.looked = time.monotonic()
            self.process = still_up(self.scheduler, self.process)


def wait_ready(scheduler: Scheduler, process: Process, given_up: GivenUp = never) -> Process:
    """The default check, for a process without any or with a port. Returns and raises as check_process."""
    begun = time.monotonic()
    looked, next_diagnosis = begun, begun + LOOK_AGAIN
    while not given_up():
        now = time.monotonic()
        accepted = process.port and accepts(process.backend, process.port)
        if accepted or now - looked > CRASH_LOOK or not process.port:
            looked = now
            process = still_up(scheduler, process)
        if accepted:
            return process
        if not process.port and now - begun > UP_TIME:
            return process
        if process.port and now > next_diagnosis:
            next_diagnosis = now + LOOK_AGAIN
            diagnosis = scheduler.diagnose(process)
            if now - begun > (ELSEWHERE_LIMIT if diagnosis.listening else START_LIMIT):
                raise postmortem.failure(process, diagnosis)
            output.info(f"{postmortem.cause(process, diagnosis)}, still waiting")
        time.sleep(STEP if process.port else 0.1)
    raise errors.Cancelled(f"{process.name} was not waited for")
