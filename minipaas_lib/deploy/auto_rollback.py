"""Automatic rollback: if the new release crashes while the old one is draining, switch back.

What that needs is recorded when traffic has moved. The background process that drains the old processes watches the
new ones. A rollback is a command of its own in the journal, and all its steps are idempotent, so that the next command
on the app finishes one that was killed.
"""

import contextlib
import time

from minipaas_lib import errors, output, paths
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import drain, launch, plan, postmortem, readiness, traffic
from minipaas_lib.git import repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import FAILED, Release
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, layout, open_store


def begin(release: Release, previous: Release | None, old: list[Process]) -> None:
    """Put `release`, which has just gone live with new processes, on trial while the `old` ones drain.

    If that cannot be recorded, it stays live for good.
    """
    drains = any(process.process_type == "web" for process in old)
    if previous is None or release.processes != release.number or not drains:
        return
    record = {"release": release.number, "previous": previous.number, "since": int(time.time())}
    with contextlib.suppress(errors.MinipaasError):
        begun = journal.read(release.app)
        record |= {key: begun[key] for key in ("former", "wanted") if key in begun}
        documents.write(open_store(), layout.trial(release.app), record)


def check(name: str) -> None:
    """Switch back to the previous release if the live one has crashed. Leaves the app to a command in progress."""
    try:
        record = read(name)
        if record and crashed_process(name, record):
            with locks.app_lock(name, frozen_too=True):
                process = crashed_process(name, record)
                if process:
                    seconds = max(0, int(time.time()) - record["since"])
                    reason = f"{process.process_type}.{process.index} crashed {seconds} s after it went live"
                    journal.begin(name, "fall back", **record, reason=reason)
                    switch_back(name, journal.read(name), process)
    except errors.MinipaasError:
        return  # the next check tries again


def resume(name: str, record: dict) -> None:
    """Finish a rollback that a dead process began. The caller holds the app's lock."""
    output.step(f"Finishing the rollback of {name} to v{record['previous']}, which was interrupted")
    switch_back(name, record)


def crashed_process(name: str, record: dict) -> Process | None:
    """A crashed process of the release on trial, if web processes of the previous one can take over, or None."""
    live = releases.live(name)
    if live is None or live.number != record["release"]:
        return None
    waiting, before = drain.waiting(name), releases.load(name, record["previous"]).processes
    present = active_engines.scheduler().processes(name)
    draining = (process for process in present if process.process_type == "web" and process.name in waiting)
    if not any(process.release == before and process.state == "running" for process in draining):
        return None
    mine = (process for process in present if process.release == live.processes and process.name not in waiting)
    return next((process for process in mine if crashed(process, record["since"])), None)


def crashed(process: Process, since: int) -> bool:
    """Whether a process that was up at `since` (UTC seconds) is down, or has been restarted since.

    Processes other than web may regularly end and be restarted, so only a non-zero exit code counts: it can be seen
    while docker waits, longer each time, before it restarts a process that keeps crashing.
    """
    if process.process_type != "web":
        return process.state in ("exited", "restarting") and process.exit_code != 0
    at = readiness.started(process)
    return process.state in ("exited", "restarting") or (at is not None and at > since)


def switch_back(name: str, record: dict, process: Process | None = None) -> None:
    """Take all steps back to the previous release, or those that are left. The caller holds the lock."""
    release, previous = releases.load(name, record["release"]), releases.load(name, record["previous"])
    reason = record["reason"]
    scheduler = active_engines.scheduler()
    with output.keep(f"{paths.output(name)}/{release.name}.log"):
        if process:
            show(process, reason)
        present = scheduler.processes(name)
        keep = list(plan.make_plan(previous, present, set()).keep)
        with journal.step(name, "keep the old processes"):
            drain.keep(name, keep)
            scheduler.adopt(keep)
        with journal.step(name, "move the requests back"):
            traffic.switch(apps.load(name), previous, keep)
        with journal.step(name, "make the former release live"):
            releases.set_live(previous)
        with journal.step(name, "mark the release failed"):
            releases.finish(release, FAILED, reason)
        for other in present:
            if other.release == release.processes:
                with journal.step(name, f"remove {other.name}"):
                    scheduler.stop(other, timeout=5)
        start_missing(apps.load(name), previous)
        repository.follow(name, previous.commit)
        end(name)
        journal.undo(name)
        app = apps.load(name)
        output.warn(f"{release.name} failed: {reason}; {previous.name} is live again")
    manager.notify("deploy_failed", app=app, release=release, previous=previous, reason=reason)


def show(process: Process, reason: str) -> None:
    """Print the last lines of the crashed process, to be kept for logs:failed."""
    seen = active_engines.scheduler().diagnose(process)
    error = postmortem.failure(process, seen)
    postmortem.show(error)
    output.warn(reason + (f": {error.message}" if seen.state in readiness.CRASHED else ", and came up again"))


def start_missing(app: App, previous: Release) -> None:
    """Start processes of the previous release that have already gone: those without a port are not drained."""
    try:
        bring_back(app, previous)
    except errors.MinipaasError as error:
        output.warn(
            f"some processes of {previous.name} could not be started: {error.message}; "
            f"to try again: ps:restore {app.name}"
        )


def end(name: str) -> None:
    """End the trial."""
    with contextlib.suppress(errors.NotFound):
        open_store().delete(layout.trial(name))


def end_with_drain(name: str) -> None:
    """End the trial as nothing drains any more, unless a new release just went live and has added old processes."""
    with contextlib.suppress(errors.NotFound, errors.Conflict):
        revision = open_store().read(layout.trial(name)).revision
        if not drain.waiting(name):
            open_store().delete(layout.trial(name), revision)


def read(name: str) -> dict:
    """The record of the app's trial; empty if there is none."""
    try:
        return documents.read(open_store(), layout.trial(name))
    except errors.NotFound:
        return {}


def bring_back(app: App, previous: Release) -> None:
    """Start missing processes of a release that was live, and route to it. That ends its trial."""
    end(app.name)
    launch.start_missing(
        app, previous, plan.make_plan(previous, active_engines.scheduler().processes(app.name), drain.waiting(app.name))
    )
