"""Change what an app is: its config, formation or routing, as a new release when it runs."""

import contextlib
import dataclasses
from collections.abc import Callable

from minipaas_lib import errors, output, paths
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import compose, rollout, traffic
from minipaas_lib.deploy.urls import idle_words
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.model.route import make_route, stand_ins
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, merge, open_store


def change(
    name: str, reason: str, edit: Callable | None = None, restart: bool = True, force: bool = False
) -> Release | None:
    """Apply `edit` to the app's document and, if the app runs, roll out a release of it; return that release.

    `edit` gets the data of the document. Only what differs is replaced: a change of routes or counts keeps the
    processes. `force` replaces them all; without `restart` the change waits for the next release. When the rollout
    fails, the document is as it was and errors.MinipaasError is raised.
    """
    with locks.app_lock(name), cancellation.cancellable():
        return change_locked(name, reason, edit, restart, force)


def change_locked(
    name: str, reason: str, edit: Callable | None, restart: bool, force: bool, build_of: Release | None = None
) -> Release | None:
    """As change, for a caller that holds the app's lock. With `build_of` it runs that release's build."""
    base = apps.load(name)
    app = edited(base, edit)
    live = releases.live(name)
    if live is None or not restart or app.stopped:
        write_unreleased(app, base, live, edit is None)
        return None
    release = compose.release_like(app, 0, live, reason, force, build_of)
    if not force and not compose.differs(release, live):
        write(app, base)
        return None
    if release.routing.get("enabled", True):
        active_engines.check_route()
    release = numbered(release)
    with output.keep(f"{paths.output(name)}/{release.name}.log"):
        begin(app, release, live)
        release = rollout.roll_out(app, release, live, settle=lambda: write(app, base))
        output.step(f"{name} {release.name} is live: {reason}")
        if not any(release.formation.values()) and (idle := idle_words(release)):
            output.warn(idle)
    return release


def _beside_config(app: App) -> dict:
    """What an app's document says of anything that a route may depend on."""
    return {name: table for name, table in app.document.items() if name not in ("config", "formation")}


def write_unreleased(app: App, base: App, live: Release | None, anything: bool) -> None:
    """Write what there is no release of now.

    Where nothing of the app runs, the domains it says are its own all the same.
    anything: whether the route may differ though the document does not, as with the global domains.
    """
    routed = anything or _beside_config(app) != _beside_config(base)
    stopped = (
        dataclasses.replace(live, routing=compose.routing(app, live.commit))
        if live and app.stopped and routed
        else None
    )
    if stopped:
        active_engines.check_route(traffic.route_of(app, stopped, []) or traffic.off(app, stopped))
    elif live is None and _beside_config(app) != _beside_config(base):
        check_first(app, base)
    write(app, base)
    if stopped:
        traffic.switch(app, stopped, [])
    elif live is None and routed:
        traffic.announce(app.name)


def check_first(app: App, base: App) -> None:
    """Refuse for an app that was never deployed what its first deploy would be refused for, as for a taken port.

    Names are looked at where they are set. A router that takes no changes now may take them then. Raises
    errors.BadConfig.
    """
    present: dict = {}
    with contextlib.suppress(errors.MinipaasError):  # somebody has broken it by hand, and this may mend it
        present = compose.routing(base, "")
    try:
        wanted = compose.routing(app, "")
        if wanted | {"domains": []} == present | {"domains": []}:
            return
        active_engines.check_route()
    except errors.MinipaasError:
        return
    if route := make_route(app.name, "v1", wanted | {"domains": []}, compose.PORT, stand_ins(1)):
        with contextlib.suppress(errors.Unavailable):
            active_engines.check_route(route)


def begin(app: App, release: Release, live: Release | None) -> None:
    """Write a release down, and that its rollout begins. Hooks may refuse it, and then nothing is written."""
    journal.begin(
        app.name,
        "rollout",
        release=release.number,
        previous=live.number if live else 0,
        commit=release.commit,
        reason=release.reason,
    )
    try:
        manager.call("before_release", app=app, release=release)
        with journal.step(app.name, "write the release"):
            releases.write(release)
    except BaseException:
        journal.end(app.name)
        raise


def numbered(release: Release) -> Release:
    """The release with a number of its own."""
    return with_number(release, releases.next_number(release.app))


def with_number(release: Release, number: int) -> Release:
    """The release under that number; its processes too, if it does not keep those of another."""
    return dataclasses.replace(release, number=number, processes=release.processes or number)


def edited(app: App, edit: Callable | None) -> App:
    """The app as it would be after `edit`; nothing is written."""
    if edit is None:
        return app
    document = documents.preview(open_store(), apps.document_path(app.name), edit)
    apps.check_fits(app.name, document, app.document)
    return App(app.name, document)


def write(app: App, base: App) -> None:
    """Make the app's document say what `app` says otherwise than `base`, from which it was made.

    The rest stays as it is: comments, and what commands that need no lock (apps:lock) have written meanwhile.
    """
    path = apps.document_path(app.name)
    documents.edit(open_store(), path, lambda document: merge.apply_difference(document, base.document, app.document))


def edit_app(name: str, edit: Callable) -> App:
    """Change the app's document and nothing that runs, under the app's lock: it counts from the next release."""
    with locks.app_lock(name):
        return apps.edit(name, edit)


def change_all(reason: str, restart: bool = True) -> int:
    """Roll out to every app what changed for all of them, one after the other; return how many failed."""
    failed = 0
    for name in apps.names():
        try:
            release = change(name, reason, restart=restart)
        except Exception as error:
            failed += apps.has_failed(name, error)
        else:
            output.info(f"{name}: {release.name + ' is live' if release else 'nothing to do'}")
    return failed
