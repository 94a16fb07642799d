"""doctor's checks of an app's processes: what runs, what does not, what keeps restarting, and how to fix it."""

from minipaas_lib import api


def of_a_stopped_app(part: str, app: str, found: list) -> "api.Finding":
    if found:
        named = ", ".join(process.name for process in found)
        return api.Finding(part, False, f"it was stopped with ps:stop, but {named} is still there", f"ps:stop {app}")
    return api.Finding(part, True, "stopped, as ps:stop asked")


def of_a_live_app(part: str, release, found: list, scheduler) -> "api.Finding":
    """The existing processes of the live release."""
    mine = [p for p in found if p.release == (release.processes or release.number) and p.adopted]
    total = sum(release.formation.values())
    missing = _missing(release.formation, mine)
    loops = any(api.kernel.live_processes.loops(process) for process in mine)
    if not missing:
        said = "; ".join(
            [f"{total} of {total} are running", *(api.kernel.live_processes.restarts(p) for p in mine if p.restarts)]
        )
        return api.Finding(part, not loops, said, api.kernel.live_processes.advice(release.app) if loops else "")
    named = ", ".join(f"{count} {kind}" for kind, count in sorted(missing.items()))
    said = "; ".join([f"{sum(missing.values())} of {total} are not running: {named}", *_why(mine, scheduler)])
    if not scheduler.has_image(release.image):
        return api.Finding(
            part, False, f"{said}; the image of {release.name} is gone from this host", f"ps:rebuild {release.app}"
        )
    return api.Finding(
        part, False, said, api.kernel.live_processes.advice(release.app) if loops else f"ps:restore {release.app}"
    )


def _missing(formation: dict[str, int], mine: list) -> dict[str, int]:
    """Process type -> how many do not run.

    Counted by type: indexes have gaps once an app was scaled down and up again.
    """
    running = [process.process_type for process in mine if process.state == "running"]
    return {kind: count - running.count(kind) for kind, count in formation.items() if count > running.count(kind)}


def _why(mine: list, scheduler) -> list[str]:
    """The finding about processes that do not run."""
    told = []
    for process in mine:
        label = f"{process.process_type}.{process.index}"
        if process.state == "exited":
            told.append(f"{label} ended with {api.kernel.exit_reason(scheduler.diagnose(process, 1))}")
        elif process.state == "restarting":
            told.append(api.kernel.live_processes.restarts(process))
        elif process.state != "running":
            told.append(f"{label} is {process.state}")
    return told
