"""Destroyed apps, kept for seven days: their documents in a single one, their repository and output in a folder.

`blog.2` is the second destroyed app of the name blog. Its images stay in place. The name of an app in the trash is
free, and release numbers continue where they were.
"""

import contextlib
import os

from minipaas_lib import errors, folders, output, paths
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import build_artifacts, traffic
from minipaas_lib.git import repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.records import apps, releases, trashed
from minipaas_lib.store import documents, layout, open_store


def destroy(name: str, now: bool = False) -> str:
    """Remove the app, its route first, then its processes, and move its data to the trash or, with `now`, delete it.

    Returns its name in the trash, empty with `now`.
    """
    begun = journal.read(name)
    try:
        identity = _destroy(name, now)
    except errors.NotFound:  # taking the lock has just finished a destroy that was interrupted
        if begun.get("operation") != "destroy":
            raise
        identity = begun["trash"]
        if now and identity:
            purge(identity)
            identity = ""
    purge_expired()
    return identity


def _destroy(name: str, now: bool) -> str:
    with locks.app_lock(name):
        taken = [trashed.number_of(identity) for identity in trashed.entries_of(name)]
        identity = "" if now else f"{name}.{max(taken, default=0) + 1}"
        journal.begin(name, "destroy", trash=identity)
        try:
            active_engines.router().remove(name)
        except errors.MinipaasError:  # nothing is changed yet: the next command on the app must not destroy it
            journal.end(name)
            raise
        take_away(name, identity)
    return identity


def take_away(name: str, identity: str) -> None:
    """Take all steps of a destroy, also those taken before. The caller holds the app's lock."""
    app = _app(name)
    with journal.step(name, "take the route away"):
        active_engines.router().remove(name)
    scheduler = active_engines.scheduler()
    for process in scheduler.processes(name):
        with journal.step(name, f"stop {process.name}"):
            scheduler.stop(process, timeout=10)
    scheduler.tidy(name, every=True)
    build_artifacts.remove(name)
    if identity:
        with journal.step(name, "write the app to the trash"):
            _keep_documents(name, identity)
        with journal.step(name, "move the repository and the output"):
            _move(paths.repository(name), trashed.folder(identity, "repository"))
            _move(paths.output(name), trashed.folder(identity, "output"))
    else:
        with journal.step(name, "remove the repository and the output"):
            for folder in (paths.repository(name), paths.output(name)):
                folders.remove(folder)
        with journal.step(name, "remove the releases and what plugins keep"):
            with contextlib.suppress(errors.NotFound):  # first: commands that read all apps load the release it names
                open_store().delete(layout.live(name))
            open_store().delete_tree(layout.releases(name))
            manager.notify("app_destroyed", app=app)
            build_artifacts.prune_images(app)
    with journal.step(name, "remove the documents"):
        open_store().delete_tree(layout.folder(name))
    journal.end(name)


def discard(name: str) -> None:
    """Remove an app that has nothing yet. The caller holds its lock. After a kill the next command finishes it."""
    journal.begin(name, "destroy", trash="")
    take_away(name, "")


def restore(text: str) -> App:
    """Restore the app from the trash, stopped. Raises errors.NotFound, errors.UsageError."""
    identity = trashed.find(text)
    name = identity.partition(".")[0]
    if name in apps.names():
        raise errors.UsageError(f"app {name} exists again", f"to move that one to the trash first: apps:destroy {name}")
    with locks.name_lock(name):
        manager.call("before_restore", app=trashed.app_of(identity))
        active_engines.check_route()
        journal.begin(name, "return", trash=identity)
        put_back(name, identity)
    return apps.load(name)


def ran(identity: str) -> bool:
    """Whether the trashed app was deployed and not stopped."""
    texts = documents.read(open_store(), layout.trashed(identity))["documents"]
    return "live" in texts and not trashed.app_of(identity).stopped


def put_back(name: str, identity: str) -> None:
    """Take all steps of a restore, also those taken before; of the documents the app's own is written last."""
    store = open_store()
    if store.exists(layout.trashed(identity)):
        with journal.step(name, "move the repository and the output"):
            _move(trashed.folder(identity, "repository"), paths.repository(name))
            _move(trashed.folder(identity, "output"), paths.output(name))
            if os.path.isdir(os.path.join(paths.repository(name), "objects")):
                repository.create(name)  # it may be from before an upgrade
        with journal.step(name, "write the documents"):
            texts = documents.read(store, layout.trashed(identity))["documents"]
            apps.forget_renamed(name)
            for document in sorted(texts, key=lambda document: document == "app.toml"):
                store.write(f"{layout.folder(name)}/{document}", texts[document])
                if document == "app.toml" and "live" in texts:
                    apps.edit(name, lambda table: table.update(stopped=True))
        if live := releases.live(name):
            with journal.step(name, "route to the page of stopped apps"):
                traffic.switch(apps.load(name), live, [])
        else:
            with journal.step(name, "route to the page of apps that are not deployed yet"):
                traffic.settle(name)
        with journal.step(name, "take it out of the trash"):
            store.delete(layout.trashed(identity))
            folders.remove(trashed.folder(identity))
    journal.end(name)


def purge(identity: str) -> None:
    """Remove a trashed app for good."""
    name = identity.partition(".")[0]
    with locks.name_lock(name):
        if not open_store().exists(layout.trashed(identity)):
            return
        app = trashed.app_of(identity)
        open_store().delete(layout.trashed(identity))
        folders.remove(trashed.folder(identity))
        _end(app)


def purge_expired() -> list[str]:
    """Remove for good what has been in the trash for seven days; return what was removed.

    An app that is busy is left for later.
    """
    gone = []
    for entry in trashed.entries():
        if entry["until"] <= apps.now():
            try:
                purge(entry["id"])
            except errors.Cancelled:
                raise
            except Exception as error:
                output.warn(f"{entry['id']} stays in the trash: {manager.describe(error)}")
            else:
                gone.append(entry["id"])
    return gone


def _end(app: App) -> None:
    """Notify the plugins that the app is gone for good, unless another one has its name, and prune its images."""
    if app.name not in apps.names():
        manager.notify("app_destroyed", app=app)
    build_artifacts.prune_images(app)


def _app(name: str) -> App:
    """The app, even if a killed destroy has already removed its document."""
    try:
        return apps.load(name)
    except errors.NotFound:
        return App(name, {})


def _keep_documents(name: str, identity: str) -> None:
    """Write the app's documents to the trash, without those of work in progress."""
    store, prefix = open_store(), layout.folder(name) + "/"
    passing = (layout.journal(name), layout.step(name), layout.retiring(name))
    texts = {
        path.removeprefix(prefix): store.read(path).text
        for path in store.list(layout.folder(name))
        if path not in passing
    }
    from minipaas_lib import caller

    fields = {"app": name, "destroyed": apps.now(), "by": caller.key()}
    documents.write(store, layout.trashed(identity), {**fields, "documents": texts})


def _move(source: str, target: str) -> None:
    """Rename a folder, unless that was done before."""
    if os.path.isdir(source):
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        folders.remove(target)
        os.rename(source, target)
