"""Finish or undo what a dead process left half done, and start what should run."""

import contextlib

from minipaas_lib import errors, output
from minipaas_lib.apps import trash
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import (
    auto_rollback,
    build_artifacts,
    drain,
    drain_worker,
    launch,
    plan,
    restore,
    rollout,
    traffic,
)
from minipaas_lib.git import repository
from minipaas_lib.journal import journal
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import FAILED, PENDING, Release
from minipaas_lib.records import apps, releases


def tidy(name: str) -> None:
    """Repair what is checked on every occasion. The caller holds the app's lock."""
    repository.tidy(name)
    if live := _live(name):
        repository.follow(name, live.commit)
    if drain.waiting(name):  # also of an app that was renamed
        drain_worker.spawn(name)  # returns at once if there is a worker already


def _live(name: str) -> Release | None:
    """The live release; None also if its document is broken, which is left to the command to report."""
    try:
        return releases.live(name)
    except errors.MinipaasError:
        return None


def announce(name: str, verb: str, subject: str) -> None:
    """Tell the user of the next command what is finished or undone before it begins."""
    at = journal.last_step(name)
    output.step(f"{verb} {subject} of {name}, which was interrupted" + (f" ({at})" if at else ""))


def rollout_of(name: str, record: dict) -> None:
    """Finish or undo a deploy, or a change that made a release."""
    live, number = releases.live(name), record["release"]
    if live and live.number == number:
        announce(name, "Finishing", live.name)
        forward(apps.load(name), live, record)
    else:
        announce(name, "Undoing", f"v{number}")
        back(name, record, live)


def forward(app: App, live: Release, record: dict) -> None:
    """Take the last steps of a release that went live."""
    steps = plan.make_plan(live, active_engines.scheduler().processes(app.name), drain.waiting(app.name))
    active_engines.scheduler().tidy(app.name)
    build_artifacts.remove(app.name)
    rollout.go_on(app, live, previous_of(app.name, record), list(steps.retire))


def previous_of(name: str, record: dict) -> Release | None:
    with contextlib.suppress(errors.NotFound):
        return releases.load(name, record["previous"]) if record.get("previous") else None
    return None


def back(name: str, record: dict, live: Release | None) -> None:
    """Undo a release that did not go live: nothing of it stays, and the live one is unchanged."""
    number, at = record["release"], journal.last_step(name)
    stray = put_right(name, live)
    for process in stray:
        with journal.step(name, f"remove {process.name}"):
            active_engines.scheduler().stop(process, timeout=5)
    start_again(name, number, live)
    why = "its process was killed" + (f" ({at})" if at else "")
    try:
        release = releases.load(name, number)
    except errors.NotFound:  # killed before it could be written: its number is used up, so it stays in the list
        known = {key: record[key] for key in ("key", "commit", "reason", "builder") if key in record}
        author = repository.author(name, record.get("commit", ""))
        release = Release(
            name, number, "", record.get("began", ""), apps.now(), author=author, status=FAILED, failure=why, **known
        )
        with journal.step(name, "write the failed release"):
            releases.write(release)
    if release.status == PENDING:
        with journal.step(name, "mark the release failed"):
            releases.finish(release, FAILED, why)
    with journal.step(name, "remove what the build left"):
        build_artifacts.remove(name)
        build_artifacts.prune_images(apps.load(name))
    journal.undo(name)


def start_again(name: str, number: int, live: Release | None) -> None:
    """Start processes that checks:disable had stopped before the release could take over."""
    with contextlib.suppress(errors.NotFound):
        release, app = releases.load(name, number), apps.load(name)
        if (
            live is None
            or app.stopped
            or not any(launch.checks_of(release, process_type) == launch.DISABLED for process_type in release.options)
        ):
            return
        try:
            auto_rollback.bring_back(app, live)
        except errors.DeployFailed as error:
            output.warn(
                f"some processes of {live.name} could not be started: {error.message}; to try again: ps:restore {name}"
            )


def put_right(name: str, live: Release | None) -> list[Process]:
    """Route to the processes of the live release, adopt them, and return all others."""
    scheduler = active_engines.scheduler()
    scheduler.tidy(name)
    waiting = drain.waiting(name)
    present = scheduler.processes(name)
    if live is None:
        with journal.step(name, "take the route away"):
            traffic.settle(name)
        return [process for process in present if process.name not in waiting]
    steps = plan.make_plan(live, present, waiting)
    with journal.step(name, "route to what was live"):
        scheduler.adopt(list(steps.keep))
        traffic.switch(apps.load(name), live, list(steps.keep))
    return list(steps.retire)


def stop(name: str, record: dict) -> None:
    """Finish ps:stop."""
    announce(name, "Finishing", "ps:stop")
    app = apps.edit(name, lambda document: document.update(stopped=True))
    if live := releases.live(name):
        restore.halt(app, live)
    journal.end(name)


def restored(name: str, record: dict) -> None:
    """Undo ps:restore: remove what it started and did not check; the next ps:restore starts it again."""
    live = releases.live(name)
    if live is not None:
        announce(name, "Undoing", "ps:restore")
        present = restore.sweep(name, live, drain.waiting(name))
        keep = list(plan.make_plan(live, present, drain.waiting(name)).keep)
        traffic.switch(apps.load(name), live, keep)
    journal.end(name)


def destroy(name: str, record: dict) -> None:
    """Finish apps:destroy."""
    announce(name, "Finishing", "apps:destroy")
    trash.take_away(name, record.get("trash", ""))


def uncreate(name: str, record: dict) -> None:
    """Undo a push that was killed while it created the app, before anything was built."""
    announce(name, "Undoing", "the creation")
    trash.discard(name)


def finish_app_restore(name: str, record: dict) -> None:
    """Finish apps:restore; the app stays stopped."""
    announce(name, "Finishing", "apps:restore")
    trash.put_back(name, record["trash"])
