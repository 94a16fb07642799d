"""Bring a release to life beside the one that serves, move traffic, and let the old one go.

Until traffic moves, everything can be undone and is; from then on everything goes forward.
"""

import contextlib
from collections.abc import Callable

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import (
    auto_rollback,
    drain,
    drain_worker,
    launch,
    live_processes,
    plan,
    postmortem,
    release_tasks,
    traffic,
)
from minipaas_lib.git import repository
from minipaas_lib.journal import cancellation, journal
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import FAILED, RELEASED, Release
from minipaas_lib.records import apps, releases


def roll_out(
    app: App, release: Release, previous: Release | None, settle: Callable[[], None] = lambda: None
) -> Release:
    """Make `release` (written, pending) the live one. `settle` writes the app's document just before traffic moves.

    The caller has begun a `rollout` in the journal; it is ended here. Raises errors.MinipaasError when the release
    could not go live; then it is marked failed, nothing of it is left, and `previous` serves as before.
    """
    before: set[str] | None = None
    moved = False
    try:
        takes_route = active_engines.ask_router(traffic.route_to_come(app, release))
        scheduler = active_engines.scheduler()
        present = scheduler.processes(app.name)
        before = {process.name for process in present}
        steps = plan.make_plan(release, present, drain.waiting(app.name))
        with postmortem.phase("before anything started"):
            takes_route()
            manager.call("before_deploy", app=app, release=release, previous=previous)
            release_tasks.before_start(scheduler, release)
            manager.call("release_task", app=app, release=release)
        old = list(steps.retire)
        started = launch.start_all(scheduler, app, release, list(steps.start), previous, old)
        with postmortem.phase("while moving traffic"):
            with journal.step(app.name, "have the processes come back after a crash"):
                scheduler.adopt(started)
            with journal.step(app.name, "write the app's document"):
                journal.keep_document(app)
                settle()
            cancellation.no_way_back()
            moved = True
            with journal.step(app.name, "move the requests"):
                traffic.switch(app, release, [*steps.keep, *started])
            with journal.step(app.name, "make the release live"):
                releases.set_live(release)
    except BaseException as error:
        undo(app, release, previous, before, error, moved)
        raise
    release = go_on(app, release, previous, old)
    release_tasks.after_live(scheduler, release, first=previous is None)
    return release


def go_on(app: App, release: Release, previous: Release | None, old: list[Process]) -> Release:
    """The release is live: finish what goes with it and let the old processes go.

    After a kill all of it is done again.
    """
    with journal.step(app.name, "mark the release as released"):
        release = releases.finish(release, RELEASED)
    with journal.step(app.name, "retire the old processes"):
        drain.add(app.name, old)
    with journal.step(app.name, "note what would bring them back"):
        auto_rollback.begin(release, previous, old)
    with journal.step(app.name, "tell the plugins"):
        manager.notify("after_deploy", app=app, release=release, previous=previous)
    with journal.step(app.name, "move the branch"):
        repository.follow(app.name, release.commit, journal.read(app.name).get("branch", ""))
    journal.end(app.name)
    if old:
        whose = "its" if len(old) == 1 else "their"
        output.step("Retiring " + ", ".join(process.name for process in old) + f" once {whose} requests are done")
    if drain.waiting(app.name):
        drain_worker.spawn(app.name)
    return release


def undo(
    app: App, release: Release, previous: Release | None, before: set[str] | None, error: BaseException, moved: bool
) -> None:
    """Take back what a failed rollout did and write down that it failed.

    `before` names the processes there were when it began; None: nothing was begun.
    """
    back = False
    names = before or set()
    reason = errors.words(error)
    with contextlib.suppress(errors.MinipaasError):  # what comes now may fail too, and then this reason would be lost
        release = releases.finish(release, FAILED, reason)
    try:
        present = [] if before is None else active_engines.scheduler().processes(app.name)
        if moved:
            traffic.route_back(app, release, previous, [process for process in present if process.name in names])
        for process in present:
            if process.name not in names:
                active_engines.scheduler().stop(process, timeout=5)
        back = bring_back_stopped(app, previous, names, present)
        if release.status != FAILED:
            release = releases.finish(release, FAILED, reason)
        journal.undo(app.name)
    except Exception as another:  # whatever a plugin raises: the first error is the one to tell
        output.warn(
            f"some of {release.name} could not be removed yet ({errors.words(another)}); the next command on "
            f"{app.name} removes it"
        )
    postmortem.report(release.name, error, still(app, previous, back))
    manager.notify("deploy_failed", app=app, release=release, previous=previous, reason=reason)


def still(app: App, previous: Release | None, back: bool = False) -> str:
    """What serves after a failure."""
    if previous is None:
        return "nothing was live before"
    if back:
        return f"{previous.name} is live again"
    with contextlib.suppress(errors.MinipaasError):
        if apps.load(app.name).stopped:
            return f"{app.name} is still stopped"
    return live_processes.words(previous)


def bring_back_stopped(app: App, previous: Release | None, before: set[str], present: list[Process]) -> bool:
    """Start again what was stopped first and in vain; whether there was any such process."""
    waiting = drain.waiting(app.name)
    if previous is None or not before - {process.name for process in present} - waiting:
        return False
    if not plan.make_plan(previous, present, waiting).start:  # what is gone had only been draining
        return False
    output.step(f"Starting {previous.name} again")
    auto_rollback.bring_back(app, previous)
    return True
