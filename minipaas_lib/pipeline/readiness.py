"""Wait until new processes may take traffic: a web process when its port accepts, others when they stay up."""

import socket
import time
from collections.abc import Callable

from minipaas_lib import errors, output
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.model.process import Process
from minipaas_lib.pipeline import postmortem

START_LIMIT = 60.0  # seconds until the port of a web process must accept
ELSEWHERE_LIMIT = 20.0  # seconds until then, if it listens by now, but not where it must
UP_TIME = 1.0  # seconds that a process without a port must stay up
LOOK_AGAIN = 10.0  # seconds between two looks into a process whose port does not accept
STEP = 0.02  # seconds between two tries


def wait_ready(scheduler: Scheduler, process: Process, given_up: Callable[[], bool] = lambda: False) -> Process:
    """Return the process, refreshed, once it is ready. Raises errors.DeployFailed with the likely cause.

    `given_up` says that the deploy has failed elsewhere: errors.Cancelled is raised then.
    """
    begun = time.monotonic()
    looked, next_diagnosis = begun, begun + LOOK_AGAIN
    while not given_up():
        now = time.monotonic()
        accepted = process.port and accepts(process.address, process.port)
        if accepted or now - looked > 0.2 or not process.port:
            looked = now
            process = scheduler.refresh(process)
            if process.state in ("exited", "missing", "restarting"):
                raise postmortem.failure(process, scheduler.diagnose(process))
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


def accepts(address: str, port: int) -> bool:
    """Whether a TCP connection to the port is accepted now."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


