"""Rename an app while it serves.

A container keeps the name and labels that it was created with, so a running app gets new processes under its new name,
next to the old ones; both serve while the requests move. The releases are kept, and the rename is one of them.

There are two records in the journal. The one at the new name is written first and removed last; once it says `moved`,
a killed rename is finished, before that it is undone. The one at the old name only points there. All steps are
idempotent.
"""

import contextlib
import dataclasses
import os

from minipaas_lib import errors, folders, output, paths
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import auto_rollback, compose, drain, drain_worker, launch, plan, postmortem, traffic
from minipaas_lib.deploy.urls import print_urls
from minipaas_lib.git import repository, repository_copy
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.release import PENDING, RELEASED, Release
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, layout, open_store

RENAME_TARGET, RENAME_SOURCE = "rename", "rename away"  # operations of the journal: at the new name, at the old one


def rename(old: str, new: str, deploy: bool = True) -> App:
    """Rename an app; without `deploy` it is stopped under its new name until it is started.

    Raises errors.NotFound, errors.UsageError for a name that is taken, and what a rollout raises: then the app is
    unchanged under its old name.
    """
    with both(old, new), cancellation.cancellable():
        app, live = apps.load(old), releases.live(old)
        refuse(old, new)
        if live:
            active_engines.check_route()  # before anything is copied
        stopped = app.stopped or not deploy
        number = max(releases.coming_number(old), releases.coming_number(new)) if live else 0
        details = {"release": number, "previous": live.number} if live else {}
        with output.keep(_log(new, number)) if live else contextlib.nullcontext():
            output.step(f"Renaming {old} to {new}")
            journal.begin(new, RENAME_TARGET, former_name=old, stopped=stopped, **details)
            journal.begin(old, RENAME_SOURCE, to=new)
            try:
                prepare(app, new, live, number, stopped)
            except BaseException as error:
                take_back(old, new, error)
                raise
            cancellation.no_way_back()
            with journal.step(old, f"let {new} take over"):
                documents.write(open_store(), layout.journal(new), journal.read(new) | {"moved": True})
            finish(old, new)
    return apps.load(new)


@contextlib.contextmanager
def both(old: str, new: str):
    """Hold the locks of both names, always taken in the same order."""
    with contextlib.ExitStack() as stack:
        for name in sorted({old, new}):
            stack.enter_context(locks.app_lock(name) if name == old else locks.name_lock(name))
        yield


def refuse(old: str, new: str) -> None:
    """Raise errors.UsageError if the app cannot be renamed."""
    if new in apps.names():
        raise errors.UsageError(f"app {new} already exists", "give another name")
    if releases.live(old):
        running = [one_off.process.name for one_off in active_engines.scheduler().detached(old) if not one_off.ended]
        if running:  # a container keeps its name and labels: it could not be found under the new name
            raise errors.UsageError(
                f"{old} has running one-off processes: {' '.join(running)}", f"wait for them, or: run:stop {old} --all"
            )


def prepare(app: App, new: str, live: Release | None, number: int, stopped: bool) -> None:
    """Take all steps until both names serve. All of them can be undone."""
    old = app.name
    with journal.step(old, "copy the documents"):
        copy_documents(old, new)
        releases.count_from(new, number or releases.coming_number(old) - 1)
    with journal.step(old, "copy the repository"):
        repository_copy.copy(old, new)
        if os.path.isdir(paths.repository(new)):
            repository.create(new)
    if live is None:
        return
    renamed, former = App(new, app.document), dataclasses.replace(live, app=new)
    release = compose.release_like(renamed, number, former, f"renamed from {old}", force=True)
    manager.call("before_release", app=renamed, release=release)
    with journal.step(old, "write the release"):
        releases.write(release)
    if not stopped:
        start(app, live, renamed, release)


def start(app: App, live: Release, renamed: App, release: Release) -> None:
    """Start the processes under the new name next to the old ones, and route to them too."""
    scheduler = active_engines.scheduler()
    with postmortem.phase("before anything started"):
        active_engines.check_route(traffic.route_to_come(renamed, release))
        manager.call("before_deploy", app=renamed, release=release, previous=live)
    keep = list(plan.make_plan(live, scheduler.processes(app.name), drain.waiting(app.name)).keep)
    launch.stop_first(scheduler, app, release, set(live.formation), live, keep)  # only where checks:disable asks for it
    steps = plan.make_plan(release, scheduler.processes(renamed.name), drain.waiting(renamed.name))
    started = launch.start_all(scheduler, renamed, release, list(steps.start))
    with postmortem.phase("while moving traffic"):
        with journal.step(app.name, "have the processes come back after a crash"):
            scheduler.adopt(started)
        with journal.step(app.name, "move the requests"):
            traffic.switch(renamed, release, started)


def take_back(old: str, new: str, error: BaseException) -> None:
    """Undo a failed rename and report it."""
    try:
        undo(old, new, journal.read(new))
        still = f"{old} is as it was"
    except Exception as another:
        still = (
            f"not everything could be undone yet ({errors.words(another)}); the next command on {old} undoes the rest"
        )
    postmortem.report(f"the rename of {old}", error, still)


def finish(old: str, new: str) -> None:
    """Take all steps after the new name has taken over, also those taken before. The caller holds both locks."""
    record = journal.read(new)
    pending_at_old = journal.read(old).get("to") == new  # else another app may have the old name already
    if pending_at_old:
        hand_over(old, new, record)
        with journal.step(old, "remove what is left under the old name"):
            repository.remove(old)
            folders.remove(paths.output(old))
            remove_documents(old)
    app = apps.load(new)
    release = releases.live(new)
    with journal.step(old, "tell the plugins"):
        manager.notify("app_renamed", app=app, former=old)
        if release and not app.stopped:
            manager.notify("after_deploy", app=app, release=release, previous=releases.load(new, record["previous"]))
    if pending_at_old:
        journal.end(old)
    journal.end(new)
    if drain.waiting(old):
        drain_worker.spawn(old)
    output.step(
        f"{old} is now called {new}"
        + (f", {release.name}" if release else "")
        + (", and stopped" if app.stopped and release else "")
    )
    if release and not app.stopped:
        print_urls(release)


def hand_over(old: str, new: str, record: dict) -> None:
    """Move the documents, the route, the processes and the output from the old name."""
    number = record.get("release", 0)
    with journal.step(old, "write the documents"):
        write_documents(old, new, number, record["stopped"])
    if number:
        with journal.step(old, "take the old route away"):
            active_engines.router().remove(old)
            active_engines.scheduler().tidy(old, every=True)
            if record["stopped"]:
                traffic.switch(apps.load(new), releases.load(new, number), [])
        with journal.step(old, "retire the old processes"):
            waiting = drain.waiting(old)
            drain.add(
                old, [process for process in active_engines.scheduler().processes(old) if process.name not in waiting]
            )
    else:
        with journal.step(old, "route the domains under the new name"):
            traffic.settle(new)
            active_engines.router().remove(old)
    with journal.step(old, "move the output"):
        move_output(old, new)
    with journal.step(old, "note the new name"):
        apps.note_renamed(old, new)


def undo(old: str, new: str, record: dict) -> None:
    """Remove what an unfinished rename made; the app keeps its old name."""
    pending_at_old = journal.read(old).get("to") == new
    if record.get("release"):
        waiting = drain.waiting(new)
        routed = new in active_engines.router().routes()
        with journal.step(old, "take the new route away"):
            active_engines.router().remove(new)
        for process in active_engines.scheduler().processes(new):
            if process.name not in waiting:
                with journal.step(old, f"remove {process.name}"):
                    active_engines.scheduler().stop(process, timeout=5)
        if pending_at_old:
            start_again(old, routed)
    with journal.step(old, "remove what was copied"):
        repository.remove(new)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_log(new, record.get("release", 0)))
        remove_documents(new)
    if pending_at_old:
        journal.end(old)
    journal.end(new)


def start_again(old: str, routed: bool) -> None:
    """Start what checks:disable had stopped. If the new name was `routed`, route the domains to the old one again."""
    app, live = apps.load(old), releases.live(old)
    if live is None:
        return
    steps = plan.make_plan(live, active_engines.scheduler().processes(old), drain.waiting(old))
    if app.stopped or not steps.start:
        if routed:
            traffic.switch(app, live, [] if app.stopped else list(steps.keep))
        return
    try:
        auto_rollback.bring_back(app, live)
    except errors.DeployFailed as error:
        output.warn(f"some processes of {old} could not be started: {error.message}; to try again: ps:restore {old}")


# -- after a kill ---------------------------------------------------------------------------------------------------


def resume(new: str, record: dict) -> None:
    """Finish or undo a killed rename to `new`, whose lock the caller holds."""
    old = record["former_name"]
    with locks.bare_lock(old, 0):
        _resume(old, new, record)


def resume_source(old: str, record: dict) -> None:
    """Like resume, for a caller that holds the lock of the old name."""
    new = record["to"]
    with locks.bare_lock(new, 0):
        target = journal.read(new)
        if target.get("operation") == RENAME_TARGET and target["former_name"] == old:
            _resume(old, new, target)
        else:
            journal.end(old)


def _resume(old: str, new: str, record: dict) -> None:
    at = journal.last_step(old)
    verb = "Finishing" if record.get("moved") else "Undoing"
    output.step(f"{verb} the rename of {old} to {new}, which was interrupted" + (f" ({at})" if at else ""))
    if record.get("moved"):
        finish(old, new)
    else:
        undo(old, new, record)


# -- documents and files --------------------------------------------------------------------------------------------


def passing(app: str) -> tuple[str, ...]:
    """The documents of work in progress, which are not moved."""
    return layout.journal(app), layout.step(app), layout.retiring(app), layout.trial(app)


def copy_documents(old: str, new: str) -> None:
    """Copy all documents but the one that makes the app live, which follows when the new name takes over.

    Plugins' hooks already read those of the new name.
    """
    store = open_store()
    for path in store.list(layout.folder(old)):
        if path not in (*passing(old), layout.live(old)):
            store.write(_under(path, new), store.read(path).text)


def write_documents(old: str, new: str, number: int, stopped: bool) -> None:
    """Make `new` the app, with the present document of `old`, unless that has already gone."""
    store = open_store()
    if number:
        release = releases.load(new, number)
        if release.status == PENDING:
            releases.finish(release, RELEASED)
        releases.set_live(release)
    with contextlib.suppress(errors.NotFound):
        store.write(layout.app(new), store.read(layout.app(old)).text)
    if number and stopped:
        apps.edit(new, lambda document: document.update(stopped=True))


def remove_documents(app: str) -> None:
    """Remove all documents but those of work in progress; the app's own first, so that the app is gone."""
    store = open_store()
    for path in sorted(store.list(layout.folder(app)), key=lambda path: path != layout.app(app)):
        if path not in passing(app)[:3]:
            with contextlib.suppress(errors.NotFound):
                store.delete(path)


def move_output(old: str, new: str) -> None:
    """Move the output file by file: the new name may have output of a destroyed app, which stays."""
    source, target = paths.output(old), paths.output(new)
    for name in os.listdir(source) if os.path.isdir(source) else []:
        os.makedirs(target, mode=0o700, exist_ok=True)
        os.replace(os.path.join(source, name), os.path.join(target, name))


def _log(new: str, number: int) -> str:
    """The file that keeps the output of the rename, that of its release."""
    return f"{paths.output(new)}/v{number}.log"


def _under(path: str, app: str) -> str:
    """The path of a document, under another app."""
    _, _, rest = path.split("/", 2)
    return f"{layout.folder(app)}/{rest}"
