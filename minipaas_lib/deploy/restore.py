"""Start what should run of a live release and does not, or stop all processes of an app."""

from minipaas_lib import output
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import auto_rollback, drain, drain_worker, launch, live_processes, plan, traffic
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import RELEASED, Release
from minipaas_lib.records import apps, releases


def restore_processes(name: str) -> None:
    """Start what should run and does not, and route to it: after a reboot, or if containers were removed."""
    with locks.app_lock(name, frozen_too=True):
        app, live = apps.load(name), releases.live(name)
        if live is None:
            traffic.settle(name)
            return
        if app.stopped:
            halt(app, live)
            return
        bring_up(app, live)


def bring_up(app: App, live: Release) -> None:
    """Start missing processes of the live release, route to what runs, and retire the rest.

    The caller holds the app's lock. Raises errors.DeployFailed if a process keeps ending.
    """
    name = app.name
    journal.begin(name, "restore")
    waiting = drain.waiting(name)
    present = sweep(name, live, waiting)
    steps = plan.make_plan(live, present, waiting)
    try:
        if steps.start:
            auto_rollback.end(name)  # a process that is started now has not crashed
        launch.start_missing(app, live, steps)
    finally:
        sweep(name, live, waiting)
        journal.end(name)
    if live.status != RELEASED:
        releases.finish(live, RELEASED)
    drain.add(name, list(steps.retire))
    if steps.retire:
        drain_worker.spawn(name)
    live_processes.check(name)


def sweep(name: str, live: Release, waiting: set[str]) -> list[Process]:
    """Remove the app's dead containers, and those of the live release that were never adopted; return the rest."""
    scheduler = active_engines.scheduler()
    scheduler.tidy(name)
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
    with journal.step(app.name, "take the requests away"):
        traffic.switch(app, live, [])
    scheduler = active_engines.scheduler()
    drain.forget(app.name)
    for process in scheduler.processes(app.name):
        output.info(f"stopping {process.name}")
        with journal.step(app.name, f"stop {process.name}"):
            scheduler.stop(process)
