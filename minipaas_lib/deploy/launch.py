"""Start new processes of a release and wait until they are ready."""

import threading
from collections.abc import Callable

from minipaas_lib import output
from minipaas_lib.bus import active_engines, engines, manager
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.deploy import plan, postmortem, readiness, traffic
from minipaas_lib.journal import journal
from minipaas_lib.model.app import App
from minipaas_lib.model.process import ContainerSpec, Process
from minipaas_lib.model.release import Release

DISABLED, SKIPPED = "disabled", "skipped"  # values of the container option `checks`


def start_all(
    scheduler: Scheduler,
    app: App,
    release: Release,
    specs: list[ContainerSpec],
    previous: Release | None = None,
    old: list[Process] | None = None,
    started: list[Process] | None = None,
) -> list[Process]:
    """Start and check all new processes, web first, and return them. The first failure ends it for all.

    `old` processes of types with checks:disable are stopped first and removed from the list. `started`, if given, is
    filled with the processes that came up, also if one fails.
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
            side_by_side(start, group, given_up, engines.at_once(scheduler))
    return started


def checks_of(release: Release, process_type: str) -> str:
    """The option `checks` of a process type: "disabled", "skipped" or "" (see the hook container_options)."""
    return release.options.get(process_type, {}).get("checks", "")


def stop_first(
    scheduler: Scheduler,
    app: App,
    release: Release,
    process_types: set[str],
    previous: Release | None,
    old: list[Process] | None,
) -> None:
    """Stop old processes of types with checks:disable before new ones start, with a warning."""
    for process_type in sorted(process_types):
        if not old or previous is None or checks_of(release, process_type) != DISABLED:
            continue
        stopping = [process for process in old if process.process_type == process_type]
        if not stopping:
            continue
        output.warn(f"{process_type} of {app.name} is down until its new processes are up (checks:disable)")
        if process_type == "web":
            traffic.switch(app, previous, [])
        for process in stopping:
            with journal.step(app.name, f"stop {process.name} first"):
                scheduler.stop(process)
            old.remove(process)


def side_by_side(
    start: Callable[[ContainerSpec], None],
    specs: list[ContainerSpec],
    given_up: threading.Event,
    at_once: int = engines.AT_ONCE,
) -> None:
    """Call `start` for all specs in `at_once` threads; raise the first failure once no thread runs any more.

    A single spec gets a thread too: there a signal cannot interrupt a call to the scheduler.
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


def start_missing(app: App, release: Release, steps: plan.Plan) -> None:
    """Start missing processes of a release that was live, route to those that come up and remove the others.

    Raises the first failure.
    """
    scheduler = active_engines.scheduler()
    started: list[Process] = []
    try:
        start_all(scheduler, app, release, list(steps.start), started=started)
    finally:
        try:
            with journal.step(app.name, "adopt and route"):
                scheduler.adopt([*steps.keep, *started])
                traffic.switch(app, release, [*steps.keep, *started])
        finally:
            failed = {spec.name for spec in steps.start} - {process.name for process in started}
            for process in scheduler.processes(app.name) if failed else ():
                if process.name in failed:
                    scheduler.stop(process, timeout=5)
