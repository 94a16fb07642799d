"""Clone an app: copy its settings, repository and live image. Release numbers start at v1."""

import contextlib
import os

from minipaas_lib import errors, output, paths
from minipaas_lib.apps import lifecycle, rename
from minipaas_lib.bus import manager
from minipaas_lib.deploy import change, compose, rollout
from minipaas_lib.deploy.urls import print_urls
from minipaas_lib.git import repository, repository_copy
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.records import apps, releases
from minipaas_lib.store import layout, open_store

CLONE = "clone"  # operation of the journal


def clone(source: str, name: str, deploy: bool = True) -> App:
    """Copy the app `source` to the new app `name` and, unless `deploy` is false, roll out its live release there.

    The source is only read. Raises errors.NotFound, errors.UsageError if the name is taken, and what a rollout raises:
    then the new app exists without a live release.
    """
    original = apps.load(source)
    with locks.name_lock(name), cancellation.cancellable():
        if name in apps.names():
            raise errors.UsageError(f"app {name} already exists", "give another name, or --ignore-existing")
        wishes = wishes_of(original, name)
        journal.begin(name, CLONE, original=source)
        try:
            with journal.step(name, "copy the repository"):
                copy_repository(source, name)
            with journal.step(name, "copy what plugins keep of it"):
                copy_documents(source, name)
            with journal.step(name, "write the app's document"):
                app = apps.write(name, wishes)
                lifecycle.tell_created(app)
        except BaseException:
            resume(name, {})
            raise
        journal.end(name)
        output.step(f"{name} is a copy of {source}")
        live = releases.live(source) if deploy else None
        if live:
            roll_out(app, live)
    return apps.load(name)


def wishes_of(original: App, name: str) -> dict:
    """The settings of the copy, without those that only one app can have."""
    wishes = {key: dict(value) if isinstance(value, dict) else value for key, value in original.wishes.items()}
    for keys in manager.call("before_clone", app=original, name=name):
        for key in keys:
            table, _, inner = key.partition(".")
            if not inner:
                wishes.pop(table, None)
            elif isinstance(wishes.get(table), dict):
                wishes[table].pop(inner, None)
    return {key: value for key, value in wishes.items() if value != {}}


def kept_by_plugins(app: str) -> list[str]:
    """The documents of an app that belong to plugins: not its own, its releases' or those of work in progress."""
    kernel_documents = (*rename.passing(app), layout.app(app), layout.live(app))
    return [
        path
        for path in open_store().list(layout.folder(app))
        if path not in kernel_documents and not path.startswith(layout.releases(app) + "/")
    ]


def copy_documents(source: str, name: str) -> None:
    """Copy the documents of plugins, such as certificates for builds and pinned buildpacks."""
    store = open_store()
    for path in kept_by_plugins(source):
        store.write(f"{layout.folder(name)}/{path.split('/', 2)[2]}", store.read(path).text)


def copy_repository(source: str, name: str) -> None:
    """Copy the repository, with hooks of its own, without the commits of the original's releases."""
    repository_copy.copy(source, name, with_releases=False)
    if os.path.isdir(paths.repository(name)):
        repository.create(name)


def roll_out(app: App, live: Release) -> None:
    """Roll out the first release of the copy: image, commit, tasks and checks of the original's live one."""
    name, number = app.name, releases.next_number(app.name)
    release = compose.release_of(
        app, number, live.build, live.commit, live.tasks, f"clone of {live.app}", live.healthchecks
    )
    with output.keep(f"{paths.output(name)}/{release.name}.log"):
        change.begin(app, release, None)
        rollout.roll_out(app, release, None, save_app=lambda: keep_commit(release))
        output.step(f"{name} {release.name} is live: {release.reason}")
        print_urls(release)


def keep_commit(release: Release) -> None:
    """Keep the release's commit in the copy's repository, if it is there."""
    if repository.has_commit(release.app, release.commit):
        with journal.step(release.app, "keep the commit"):
            repository.keep_commit(release.app, release.commit, release.number)


def resume(name: str, record: dict) -> None:
    """Finish or undo a killed clone: an app with a document is complete, of any other everything is removed."""
    if not open_store().exists(layout.app(name)):
        repository.remove(name)
        for path in kept_by_plugins(name):
            with contextlib.suppress(errors.NotFound):
                open_store().delete(path)
    journal.end(name)
