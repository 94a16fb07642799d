"""What of an app's live release runs: commands answer from this and not from what was asked for."""

import calendar
import time

from minipaas_lib import errors
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import drain, plan, postmortem
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases

LOOP = 3  # times that a process has come back by itself; fewer may be chance
RECENT = 600  # seconds since the last time; what has been quiet for longer is no loop any more


def missing(live: Release) -> int:
    """How many processes of the live release there are not, or are dead. Raises errors.Unavailable."""
    return len(plan.make_plan(live, active_engines.scheduler().processes(live.app), drain.waiting(live.app)).start)


def words(live: Release) -> str:
    """What serves, for a report of a failure."""
    try:
        gone = missing(live)
    except errors.MinipaasError:
        return f"{live.name} was live before"
    if not gone:
        return f"{live.name} is still live"
    total = sum(live.formation.values())
    none = "none of its processes is running" if gone == total else f"{gone} of its {total} processes are not running"
    return f"{live.name} is still the live release, but {none}"


def unsteady(app: str) -> list[Process]:
    """The processes of the live release that keep ending, or wait for their next start. Raises errors.Unavailable."""
    live, waiting = releases.live(app), drain.waiting(app)
    if live is None:
        return []
    return [
        process
        for process in active_engines.scheduler().processes(app)
        if process.release == (live.processes or live.number) and process.name not in waiting and loops(process)
    ]


def loops(process: Process) -> bool:
    """Whether a process keeps ending. That it runs at one moment says nothing."""
    return process.state == "restarting" or (
        process.restarts >= LOOP and time.time() - _seconds(process.ended) < RECENT
    )


def restarts(process: Process) -> str:
    """How often a process came back, and why the last time. Raises errors.Unavailable."""
    reason = postmortem.exit_reason(active_engines.scheduler().diagnose(process, 1))
    often = f" {process.restarts} time{'' if process.restarts == 1 else 's'}" if process.restarts else ""
    since = f" since {second(process.created)}" if process.created and often else ""
    at = f" at {second(process.ended)}" if process.ended else ""
    return f"{process.process_type}.{process.index} was restarted{often}{since}, the last time{at} after {reason}"


def second(text: str) -> str:
    """A time in UTC, ISO 8601, to the second."""
    return text[:19] + "Z" if text else ""


def check(app: str) -> None:
    """Raise errors.DeployFailed where a process of the live release keeps ending."""
    for process in unsteady(app):
        raise errors.DeployFailed(f"{app} keeps restarting: {restarts(process)}", advice(app))


def advice(app: str) -> str:
    """What to type where a process keeps ending: its container may be at fault, and what it prints tells of more."""
    return f"logs {app}, then: ps:restart {app}"


def _seconds(text: str) -> int:
    """Seconds since 1970 of a time in UTC; 0 for none."""
    try:
        return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
