"""Finish or undo what a dead process left half done, and bring back what should run."""

from minipaas_lib import output
from minipaas_lib.model.app import App
from minipaas_lib.model.release import FAILED, PENDING, RELEASED, Release
from minipaas_lib.pipeline import apps, engines, journal, locks, plan, releases, retire, rollout


def recover(name: str) -> None:
    """Put right a rollout that its process did not live to end. The caller holds the app's lock."""
    number = journal.unfinished(name)
    if number is None:
        if retire.waiting(name):
            retire.spawn(name)  # a second one waits for the first and finds nothing left to do
        return
    live = releases.live(name)
    if live and live.number == number:
        output.step(f"Finishing {live.name} of {name}, which was interrupted")
        forward(apps.load(name), live)
    else:
        output.step(f"Undoing v{number} of {name}, which was interrupted")
        back(name, number, live)


def forward(app: App, live: Release) -> None:
    """The release went live: only its last steps are missing."""
    steps = plan.make_plan(live, engines.scheduler().processes(app.name), retire.waiting(app.name))
    rollout.go_on(app, live, list(steps.retire))


def back(name: str, number: int, live: Release | None) -> None:
    """The release did not go live: nothing of it stays, and the live one is as it was."""
    scheduler = engines.scheduler()
    waiting = retire.waiting(name)
    present = scheduler.processes(name)
    if live is None:
        engines.router().remove(name)
        keep, stray = [], [p for p in present if p.name not in waiting]
    else:
        steps = plan.make_plan(live, present, waiting)
        keep, stray = list(steps.keep), list(steps.retire)
        scheduler.adopt(keep)
        if not apps.load(name).stopped:
            rollout.switch(apps.load(name), live, keep)
    for process in stray:
        scheduler.stop(process, timeout=5)
    release = releases.load(name, number)
    if release.status == PENDING:
        releases.finish(release, FAILED, "its process was killed")
    journal.undo(name)


def restore(name: str) -> None:
    """Start what should run and does not, and route to it: after a reboot, or when somebody removed containers."""
    with locks.app_lock(name, frozen_too=True):
        app, live = apps.load(name), releases.live(name)
        if live is None or app.stopped:
            return
        scheduler = engines.scheduler()
        present = []
        for process in scheduler.processes(name):
            if process.state in ("running", "restarting") or process.name in retire.waiting(name):
                present.append(process)
            else:
                scheduler.stop(process)
        steps = plan.make_plan(live, present, retire.waiting(name))
        started: list = []
        rollout.start_all(scheduler, app, live, list(steps.start), started)
        scheduler.adopt([*steps.keep, *started])
        rollout.switch(app, live, [*steps.keep, *started])
        if live.status != RELEASED:
            releases.finish(live, RELEASED)
        retire.add(name, list(steps.retire))
        if steps.retire:
            retire.spawn(name)
