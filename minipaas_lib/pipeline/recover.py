"""Finish or undo what a dead process left half done, and bring back what should run."""

from minipaas_lib import output
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import FAILED, PENDING, RELEASED, Release
from minipaas_lib.pipeline import apps, engines, journal, locks, plan, releases, retire, rollout


def recover(name: str) -> None:
    """Put right a rollout that its process did not live to end. The caller holds the app's lock."""
    number = journal.unfinished(name)
    if number is None:
        if retire.waiting(name):
            retire.spawn(name)  # where one is at work already, this one leaves at once
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
        if live is None:
            return
        if app.stopped:
            halt(app, live)
            return
        waiting = retire.waiting(name)
        present = sweep(name, live, waiting)
        steps = plan.make_plan(live, present, waiting)
        started: list = []
        try:
            started = rollout.start_all(engines.scheduler(), app, live, list(steps.start))
        finally:  # what runs is routed to, even where not all could be started
            engines.scheduler().adopt([*steps.keep, *started])
            rollout.switch(app, live, [*steps.keep, *started])
            sweep(name, live, waiting)
        if live.status != RELEASED:
            releases.finish(live, RELEASED)
        retire.add(name, list(steps.retire))
        if steps.retire:
            retire.spawn(name)


def sweep(name: str, live: Release, waiting: set[str]) -> list[Process]:
    """Remove the app's dead containers, and those of the live release that never became part of it; return the others."""
    scheduler = engines.scheduler()
    others = []
    for process in scheduler.processes(name):
        unproven = process.release == live.processes and not process.adopted
        if process.name not in waiting and (process.state not in plan.ALIVE or unproven):
            scheduler.stop(process)
        else:
            others.append(process)
    return others


def halt(app: App, live: Release) -> None:
    """Stop all processes of a stopped app. Its domains answer 503."""
    rollout.switch(app, live, [])
    scheduler = engines.scheduler()
    retire.forget(app.name)
    for process in scheduler.processes(app.name):
        output.info(f"stopping {process.name}")
        scheduler.stop(process)
