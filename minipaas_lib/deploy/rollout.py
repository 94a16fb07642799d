"""Roll out a release: start it next to the live one, move traffic, and retire the old processes.

A failure before traffic moves undoes everything; after that, everything goes forward.
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
    app: App, release: Release, previous: Release | None, save_app: Callable[[], None] = lambda: None
) -> Release:
    """Make `release` (written, pending) the live one. `save_app` writes the app's document just before traffic moves.

    The caller has begun a `rollout` in the journal; it is ended here. Raises errors.MinipaasError if the release
    could not go live; then it is marked failed, nothing of it is left, and `previous` still serves.
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
                save_app()
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
    """Take the steps after the release is live, and retire the old processes.

    After a kill all of them are taken again.
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
    """Undo a failed rollout and record the failure.

    `before` names the processes that existed when it began; None: nothing was begun.
    """
    back = False
    names = before or set()
    reason = errors.words(error)
    with contextlib.suppress(errors.MinipaasError):  # first: if the next steps fail, the reason is not lost
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
    except Exception as another:  # from any plugin: the first error is the one to report
        output.warn(
            f"some of {release.name} could not be removed yet ({errors.words(another)}); the next command on "
            f"{app.name} removes it"
        )
    postmortem.report(release.name, error, still(app, previous, back))
    manager.notify("deploy_failed", app=app, release=release, previous=previous, reason=reason)


def still(app: App, previous: Release | None, back: bool = False) -> str:
    """What serves after a failure, in words."""
    if previous is None:
        return "nothing was live before"
    if back:
        return f"{previous.name} is live again"
    with contextlib.suppress(errors.MinipaasError):
        if apps.load(app.name).stopped:
            return f"{app.name} is still stopped"
    return live_processes.words(previous)


def bring_back_stopped(app: App, previous: Release | None, before: set[str], present: list[Process]) -> bool:
    """Restart old processes that were stopped first; return whether there were any."""
    waiting = drain.waiting(app.name)
    if previous is None or not before - {process.name for process in present} - waiting:
        return False
    if not plan.make_plan(previous, present, waiting).start:  # those that are gone were only draining
        return False
    output.step(f"Starting {previous.name} again")
    auto_rollback.bring_back(app, previous)
    return True
