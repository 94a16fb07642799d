"""Bring a release to life beside the one that serves, move traffic, and let the old one go.

Until traffic moves, everything can be undone and is; from then on everything goes forward.
"""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from minipaas_lib import errors, output
from minipaas_lib.bus import manager
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.model.app import App
from minipaas_lib.model.process import ContainerSpec, Process
from minipaas_lib.model.release import FAILED, RELEASED, Release
from minipaas_lib.model.route import make_route
from minipaas_lib.pipeline import engines, interrupt, journal, plan, readiness, releases, retire
from minipaas_lib.pipeline.compose import container_spec

AT_ONCE = 4  # processes started at the same time


def roll_out(app: App, release: Release, previous: Release | None, settle: Callable[[], None] = lambda: None) -> Release:
    """Make `release` (written, pending) the live one. `settle` writes the app's document just before traffic moves.

    Raises errors.MinipaasError when it could not go live; then the release is marked failed, nothing of it is left,
    and `previous` serves as before.
    """
    started: list[Process] = []
    moved = False
    journal.begin(app.name, release)
    try:
        scheduler = engines.scheduler()
        steps = plan.make_plan(release, scheduler.processes(app.name), retire.waiting(app.name))
        manager.call("before_deploy", app=app, release=release, previous=previous)
        run_tasks(scheduler, app, release)
        start_all(scheduler, app, release, list(steps.start), started)
        scheduler.adopt(started)
        settle()
        interrupt.no_way_back()
        moved = True
        switch(app, release, [*steps.keep, *started])
        releases.set_live(release)
    except BaseException as error:
        undo(app, release, previous, started, error, moved)
        raise
    release = go_on(app, release, list(steps.retire))
    manager.notify("after_deploy", app=app, release=release, previous=previous)
    return release


def run_tasks(scheduler: Scheduler, app: App, release: Release) -> None:
    """The release task of the Procfile and the plugins' own, before anything starts."""
    command = release.tasks.get("release", "")
    if command and release.number == release.processes:
        output.step(f"Running the release task: {command}")
        spec = dataclasses.replace(container_spec(release, "release", 1), command=command)
        code = scheduler.run(spec)
        if code:
            raise errors.DeployFailed(f"the release task ended with exit code {code}", f"logs:failed {app.name}")
    manager.call("release_task", app=app, release=release)


def start_all(scheduler: Scheduler, app: App, release: Release, specs: list[ContainerSpec], started: list[Process]) -> None:
    """Start and check all new processes, web first; each that was started is added to `started` at once."""

    def start(spec: ContainerSpec) -> None:
        process = scheduler.start(spec)
        started.append(process)
        ready = readiness.wait_ready(scheduler, process)
        manager.call("check_process", app=app, release=release, process=ready)
        output.info(f"{process.process_type}.{process.index} is up")

    if specs:
        output.step("Starting " + ", ".join(f"{spec.process_type}.{spec.index}" for spec in specs))
    for group in ([s for s in specs if s.process_type == "web"], [s for s in specs if s.process_type != "web"]):
        if len(group) == 1:
            start(group[0])
        elif group:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                for outcome in [pool.submit(start, spec) for spec in group]:
                    outcome.result()


def switch(app: App, release: Release, processes: list[Process]) -> None:
    """Route traffic to the processes in one change."""
    addresses = [process.address for process in processes if process.process_type == "web"]
    route = make_route(app.name, release.name, release.routing, release.port, addresses)
    if route is None:
        engines.router().remove(app.name)
    else:
        engines.router().apply(route)
    manager.notify("route_changed", app=app, route=route)


def go_on(app: App, release: Release, old: list[Process]) -> Release:
    """The release is live: finish what goes with it and let the old processes go."""
    release = releases.finish(release, RELEASED)
    retire.add(app.name, old)
    journal.end(app.name)
    if old:
        output.step("Retiring " + ", ".join(process.name for process in old) + " once their requests are done")
        retire.spawn(app.name)
    return release


def undo(
    app: App, release: Release, previous: Release | None, started: list[Process], error: BaseException, moved: bool
) -> None:
    """Take back what a failed rollout did and write down that it failed."""
    reason = error.message if isinstance(error, errors.MinipaasError) else (str(error) or type(error).__name__)
    try:
        if moved:
            route_back(app, previous)
        for process in started:
            engines.scheduler().stop(process, timeout=5)
        releases.finish(release, FAILED, reason)
        journal.undo(app.name)
    except errors.MinipaasError as another:
        output.warn(f"not all of {release.name} could be removed yet ({another.message}); the next command on {app.name} will")
    still = f"{previous.name} is still live" if previous else "nothing was live before"
    output.warn(f"{release.name} failed; {still}")
    manager.notify("deploy_failed", app=app, release=release, previous=previous, reason=reason)


def route_back(app: App, previous: Release | None) -> None:
    """Send traffic where it went before."""
    if previous is None:
        engines.router().remove(app.name)
        return
    present = engines.scheduler().processes(app.name)
    switch(app, previous, list(plan.make_plan(previous, present, retire.waiting(app.name)).keep))
