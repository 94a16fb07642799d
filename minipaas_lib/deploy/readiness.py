"""Wait until new processes may take traffic: they pass the checks of app.json, and a web process's port accepts.

Without checks of its own a process without a port is ready when it stays up a short time. A crash ends every wait.
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
ELSEWHERE_LIMIT = 20.0  # seconds until then, if it listens by now, but not where it must
UP_TIME = 1.0  # seconds that a process without a port must stay up
LOOK_AGAIN = 10.0  # seconds between two looks into a process whose port does not accept
STEP = 0.02  # seconds between two tries
CRASHED = ("exited", "missing", "restarting")
CRASH_LOOK = 0.2  # seconds between two looks at whether it still runs

GivenUp = Callable[[], bool]


def never() -> bool:
    return False


def check_process(scheduler: Scheduler, release: Release, process: Process, given_up: GivenUp = never) -> Process:
    """Return the process, refreshed, once it passes all that its release asks of it.

    Raises errors.DeployFailed with the likely cause, errors.Cancelled when `given_up` says that the deploy has failed
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
    """The process as it is now. Raises errors.DeployFailed when it has crashed."""
    process = scheduler.refresh(process)
    if process.state in CRASHED:
        raise postmortem.failure(process, scheduler.diagnose(process))
    return process


def started(process: Process) -> int | None:
    """When the process started, in seconds since 1970; None where nobody knows."""
    import calendar

    try:
        return calendar.timegm(time.strptime(process.started[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return None


def age(process: Process) -> float:
    """Seconds since the process started; 0 where nobody knows."""
    at = started(process)
    return 0.0 if at is None else max(0.0, time.time() - at)


class Attempts:
    """All attempts of one check at one process."""

    def __init__(
        self, scheduler: Scheduler, release: Release, process: Process, check: Check, begun: float, given_up: GivenUp
    ) -> None:
        self.scheduler, self.process, self.check, self.given_up = scheduler, process, check, given_up
        self.begun = begun  # time.monotonic() when the process started
        self.port = check.port or release.port
        domains = [domain for domain in release.routing.get("domains", []) if not domain.startswith("*")]
        self.host = domains[0] if domains else "localhost"  # what frameworks that check the Host header let pass
        self.looked = begun

    @property
    def about(self) -> str:
        return f"{self.process.process_type}.{self.process.index}: check {self.check.name!r}"

    def run(self) -> None:
        """Raises errors.DeployFailed when the check is not passed."""
        self.pause(self.check.initial_delay - (time.monotonic() - self.begun))
        if self.check.kind == "uptime":
            self.pause(self.check.uptime - (time.monotonic() - self.begun))
            self.look()
            return
        said = ""
        for number in range(1, self.check.attempts + 1):
            said = probe.in_time(self.attempt, self.check.timeout, self.stopped)
            self.look()
            if not said:
                return
            if number < self.check.attempts:
                if number > 1 or not self.unheard(said):  # a process that just started is not heard of yet: no news
                    output.info(f"{self.about}, attempt {number} of {self.check.attempts}: {said}")
                self.pause(self.check.wait, until_heard=self.unheard(said))
        if self.check.warn:
            output.warn(f"{self.about} did not pass: {said}")
            return
        times = "once" if self.check.attempts == 1 else f"{self.check.attempts} times"
        raise postmortem.failure(
            self.process, self.scheduler.diagnose(self.process), f"{self.about} failed {times}: {said}"
        )

    def attempt(self) -> str:
        return probe.attempt(self.scheduler, self.process, self.check, self.port, self.host)

    def unheard(self, said: str) -> bool:
        """Whether an attempt failed because nothing accepts on the port yet."""
        return said == probe.REFUSED or self.check.kind == "listening"

    def pause(self, seconds: float, until_heard: bool = False) -> None:
        """Wait, but see a crash; `until_heard`: not longer than until the port accepts."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.look()
            if until_heard and accepts(self.process.backend, self.port):
                return
            time.sleep(min(0.05, left))

    def stopped(self) -> bool:
        """Whether there is no use in waiting for an answer any more."""
        try:
            self.look()
        except errors.MinipaasError:
            return True
        return False

    def look(self) -> None:
        """Raise errors.Cancelled or errors.DeployFailed when the process is not to be waited for."""
        if self.given_up():
            raise errors.Cancelled(f"{self.process.name} was not waited for")
        if time.monotonic() - self.looked >= CRASH_LOOK or self.process.state in CRASHED:
            self.looked = time.monotonic()
            self.process = still_up(self.scheduler, self.process)


def wait_ready(scheduler: Scheduler, process: Process, given_up: GivenUp = never) -> Process:
    """The check of a process that has none of its own. Returns it, refreshed, and raises as check_process."""
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
