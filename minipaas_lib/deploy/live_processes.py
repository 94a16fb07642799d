"""The actual state of the live release's processes, which commands report instead of the desired one."""

import calendar
import time

from minipaas_lib import errors
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import drain, plan, postmortem
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases

LOOP = 3  # automatic restarts of a process that count as a loop; fewer may be chance
RECENT = 600  # seconds since the last restart; after that it is no longer a loop


def missing(live: Release) -> int:
    """How many processes of the live release are missing or dead. Raises errors.Unavailable."""
    return len(plan.make_plan(live, active_engines.scheduler().processes(live.app), drain.waiting(live.app)).start)


def words(live: Release) -> str:
    """What still serves, for the report of a failure."""
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
    """The processes of the live release that keep ending or are restarting. Raises errors.Unavailable."""
    live, waiting = releases.live(app), drain.waiting(app)
    if live is None:
        return []
    return [
        process
        for process in active_engines.scheduler().processes(app)
        if process.release == (live.processes or live.number) and process.name not in waiting and loops(process)
    ]


def loops(process: Process) -> bool:
    """Whether a process keeps ending, even if it runs at the moment."""
    return process.state == "restarting" or (
        process.restarts >= LOOP and time.time() - _seconds(process.ended) < RECENT
    )


def restarts(process: Process) -> str:
    """A sentence on how often a process was restarted, and why the last time. Raises errors.Unavailable."""
    reason = postmortem.exit_reason(active_engines.scheduler().diagnose(process, 1))
    often = f" {process.restarts} time{'' if process.restarts == 1 else 's'}" if process.restarts else ""
    since = f" since {second(process.created)}" if process.created and often else ""
    at = f" at {second(process.ended)}" if process.ended else ""
    return f"{process.process_type}.{process.index} was restarted{often}{since}, the last time{at} after {reason}"


def second(text: str) -> str:
    """A time in UTC, ISO 8601, cut to the second."""
    return text[:19] + "Z" if text else ""


def check(app: str) -> None:
    """Raise errors.DeployFailed if a process of the live release keeps ending."""
    for process in unsteady(app):
        raise errors.DeployFailed(f"{app} keeps restarting: {restarts(process)}", advice(app))


def advice(app: str) -> str:
    """What to type if a process keeps ending: read its output, and replace its container."""
    return f"logs {app}, then: ps:restart {app}"


def _seconds(text: str) -> int:
    """A time in UTC as seconds since 1970; 0 if there is none."""
    try:
        return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
