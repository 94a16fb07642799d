"""Bring a release to life beside the one that serves, move traffic, and let the old one go.

Until traffic moves, everything can be undone and is; from then on everything goes forward.
"""

import contextlib
import threading
from collections.abc import Callable

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.deploy import (
    auto_rollback,
    drain,
    held_domains,
    live_processes,
    plan,
    postmortem,
    readiness,
    release_tasks,
)
from minipaas_lib.git import repository
from minipaas_lib.journal import cancellation, journal
from minipaas_lib.model.app import App
from minipaas_lib.model.process import ContainerSpec, Process
from minipaas_lib.model.release import FAILED, RELEASED, Release
from minipaas_lib.model.route import OFF, Backend, Route, make_route, stand_ins, withheld_route
from minipaas_lib.records import apps, releases

DISABLED, SKIPPED = "disabled", "skipped"  # values of the container option `checks`
AT_ONCE = 4  # processes started at the same time, where the scheduler names no other number


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
        takes_route = active_engines.ask_router(route_to_come(app, release))
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
        started = start_all(scheduler, app, release, list(steps.start), previous, old)
        with postmortem.phase("while moving traffic"):
            with journal.step(app.name, "have the processes come back after a crash"):
                scheduler.adopt(started)
            with journal.step(app.name, "write the app's document"):
                journal.keep_document(app)
                settle()
            cancellation.no_way_back()
            moved = True
            with journal.step(app.name, "move the requests"):
                switch(app, release, [*steps.keep, *started])
            with journal.step(app.name, "make the release live"):
                releases.set_live(release)
    except BaseException as error:
        undo(app, release, previous, before, error, moved)
        raise
    release = go_on(app, release, previous, old)
    release_tasks.after_live(scheduler, release, first=previous is None)
    return release


def start_all(
    scheduler: Scheduler,
    app: App,
    release: Release,
    specs: list[ContainerSpec],
    previous: Release | None = None,
    old: list[Process] | None = None,
    started: list[Process] | None = None,
) -> list[Process]:
    """Start and check all new processes, web first, and return them. The first that fails ends it for all.

    Of the `old` processes, those of types that checks:disable names stop first and leave the list. In the list
    `started`, where one is given, a caller finds those that came up before one failed.
    """
    started = [] if started is None else started
    given_up = threading.Event()

    def start(spec: ContainerSpec) -> None:
        label = f"{spec.process_type}.{spec.index}"
        with postmortem.phase(f"while starting {label}"), journal.step(app.name, f"start {spec.name}"):
            process = scheduler.start(spec)
        with postmortem.phase(f"while waiting for {label}"):
            waits = checks_of(release, spec.process_type) != SKIPPED
            ready = readiness.check_process(scheduler, release, process, given_up.is_set) if waits else process
            manager.call("check_process", app=app, release=release, process=ready)
        started.append(ready)
        output.info(f"{label} is up" if waits else f"{label} is started, and not waited for (checks:skip)")

    if specs:
        output.step("Starting " + ", ".join(f"{spec.process_type}.{spec.index}" for spec in specs))
    for group in ([s for s in specs if s.process_type == "web"], [s for s in specs if s.process_type != "web"]):
        if group:
            stop_first(scheduler, app, release, {spec.process_type for spec in group}, previous, old)
            side_by_side(start, group, given_up, getattr(scheduler, "at_once", AT_ONCE))
    return started


def checks_of(release: Release, process_type: str) -> str:
    """How new processes of a type come in: "disabled", "skipped" or "" (see the plugin checks)."""
    return release.options.get(process_type, {}).get("checks", "")


def stop_first(
    scheduler: Scheduler,
    app: App,
    release: Release,
    kinds: set[str],
    previous: Release | None,
    old: list[Process] | None,
) -> None:
    """Stop old processes of `kinds` before new ones start, where checks:disable asks for that; say so before."""
    for kind in sorted(kinds):
        if not old or previous is None or checks_of(release, kind) != DISABLED:
            continue
        mine = [process for process in old if process.process_type == kind]
        if not mine:
            continue
        output.warn(f"{kind} of {app.name} is down until its new processes are up (checks:disable)")
        if kind == "web":
            switch(app, previous, [])
        for process in mine:
            with journal.step(app.name, f"stop {process.name} first"):
                scheduler.stop(process)
            old.remove(process)


def side_by_side(
    start: Callable[[ContainerSpec], None],
    specs: list[ContainerSpec],
    given_up: threading.Event,
    at_once: int = AT_ONCE,
) -> None:
    """Call `start` for all specs in `at_once` threads and raise what the first failure raised, once no thread runs.

    In threads even for one: there a signal cannot tear a call to the scheduler apart.
    """
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(at_once)
    try:
        done, _ = wait([pool.submit(start, spec) for spec in specs], return_when=FIRST_EXCEPTION)
        failures = [failure for outcome in done if (failure := outcome.exception())]
        if failures:
            raise failures[0]
    finally:
        given_up.set()
        pool.shutdown(cancel_futures=True)
        given_up.clear()


def switch(app: App, release: Release, processes: list[Process]) -> None:
    """Route traffic to the processes in one change."""
    backends = [process.backend for process in processes if process.process_type == "web"]
    route = route_of(app, release, backends)
    active_engines.router().apply(route or off(app, release))
    manager.notify("route_changed", app=app, route=route)


def route_of(app: App, release: Release, backends: list[Backend]) -> Route | None:
    return make_route(app.name, release.name, release.routing, release.port, backends)


def route_to_come(app: App, release: Release) -> Route:
    """The route that the release leads to, with stand-ins for the addresses, which are not known yet."""
    return route_of(app, release, stand_ins(release.formation.get("web", 0))) or off(app, release)


def off(app: App, release: Release) -> Route:
    """In the place of a route, where the app wants none: its domains are its own all the same."""
    return withheld_route(app.name, release.routing, OFF)


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
        drain.spawn(app.name)
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
            route_back(app, release, previous, [process for process in present if process.name in names])
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
    bring_back(app, previous)
    return True


def bring_back(app: App, previous: Release) -> None:
    """Start what is missing of a release that was live, and route to it. What starts anew has not crashed."""
    auto_rollback.end(app.name)
    start_missing(
        app, previous, plan.make_plan(previous, active_engines.scheduler().processes(app.name), drain.waiting(app.name))
    )


def start_missing(app: App, release: Release, steps: plan.Plan) -> None:
    """Start what a release that was live misses. What comes up is routed to, and what does not is removed again.

    Raises what the first failure raised.
    """
    scheduler = active_engines.scheduler()
    started: list[Process] = []
    try:
        start_all(scheduler, app, release, list(steps.start), started=started)
    finally:
        try:
            with journal.step(app.name, "adopt and route"):
                scheduler.adopt([*steps.keep, *started])
                switch(app, release, [*steps.keep, *started])
        finally:
            failed = {spec.name for spec in steps.start} - {process.name for process in started}
            for process in scheduler.processes(app.name) if failed else ():
                if process.name in failed:
                    scheduler.stop(process, timeout=5)


def route_back(app: App, release: Release, previous: Release | None, present: list[Process]) -> None:
    """Send traffic where it went before `release`, to those of the processes that are `present`.

    Raises errors.MinipaasError only where requests may still go to processes of `release`: a router that is not there
    just now has the former route in place already, if it never took the new one.
    """
    try:
        if previous is None:
            held_domains.settle(app.name)
        else:
            switch(app, previous, list(plan.make_plan(previous, present, drain.waiting(app.name)).keep))
    except errors.MinipaasError:
        placed = getattr(active_engines.router(), "placed", None)
        if placed is None or placed(app.name) == release.name:
            raise
