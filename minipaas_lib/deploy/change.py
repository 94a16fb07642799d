"""Change an app's config, formation or routing; if it runs, by a new release."""

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
from minipaas_lib.store import documents, layout, merge, open_store


def change(
    name: str, reason: str, edit: Callable | None = None, restart: bool = True, force: bool = False
) -> Release | None:
    """Apply `edit` to the app's document and, if the app runs, roll out a release of it; return that release.

    `edit` gets the data of the document. Only what differs is replaced: a change of routes or counts keeps the
    processes. `force` replaces them all; without `restart` the change takes effect with the next release. If the
    rollout fails, the document is unchanged and errors.MinipaasError is raised.
    """
    with locks.app_lock(name), cancellation.cancellable():
        return change_locked(name, reason, edit, restart, force)


def change_locked(
    name: str, reason: str, edit: Callable | None, restart: bool, force: bool, build_of: Release | None = None
) -> Release | None:
    """Like change, for a caller that holds the app's lock. With `build_of` it uses that release's build."""
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
        release = rollout.roll_out(app, release, live, save_app=lambda: write(app, base))
        output.step(f"{name} {release.name} is live: {reason}")
        if not any(release.formation.values()) and (idle := idle_words(release)):
            output.warn(idle)
    return release


def _route_inputs(app: App) -> dict:
    """The tables of an app's document that a route may depend on."""
    return {key: table for key, table in app.document.items() if key not in ("config", "formation")}


def write_unreleased(app: App, base: App, live: Release | None, anything: bool) -> None:
    """Write a change without making a release.

    Even if nothing of the app runs, its domains are routed to its page.
    anything: whether the route may differ although the document does not, as with the global domains.
    """
    routed = anything or _route_inputs(app) != _route_inputs(base)
    stopped = (
        dataclasses.replace(live, routing=compose.routing(app, live.commit))
        if live and app.stopped and routed
        else None
    )
    if stopped:
        active_engines.check_route(traffic.route_of(app, stopped, []) or traffic.off(app, stopped))
    elif live is None and _route_inputs(app) != _route_inputs(base):
        check_first_route(app, base)
    write(app, base)
    if stopped:
        traffic.switch(app, stopped, [])
    elif live is None and routed:
        traffic.announce(app.name)


def check_first_route(app: App, base: App) -> None:
    """Refuse for an app that was never deployed what would make its first deploy fail, such as a taken port.

    Domains are checked where they are set. A router that is unavailable now may accept the change then. Raises
    errors.BadConfig.
    """
    old_routing: dict = {}
    with contextlib.suppress(errors.MinipaasError):  # it was broken by hand, and this change may fix it
        old_routing = compose.routing(base, "")
    try:
        new_routing = compose.routing(app, "")
        if new_routing | {"domains": []} == old_routing | {"domains": []}:
            return
        active_engines.check_route()
    except errors.MinipaasError:
        return
    if route := make_route(app.name, "v1", new_routing | {"domains": []}, compose.PORT, stand_ins(1)):
        with contextlib.suppress(errors.Unavailable):
            active_engines.check_route(route)


def begin(app: App, release: Release, live: Release | None) -> None:
    """Write a release and record that its rollout begins. Hooks may refuse it, and then nothing is written."""
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
    """The release with a new number."""
    return with_number(release, releases.next_number(release.app))


def with_number(release: Release, number: int) -> Release:
    """The release with that number, also for its processes unless it keeps those of another."""
    return dataclasses.replace(release, number=number, processes=release.processes or number)


def edited(app: App, edit: Callable | None) -> App:
    """The app after `edit`, without writing anything."""
    if edit is None:
        return app
    document = documents.preview(open_store(), layout.app(app.name), edit)
    apps.check_fits(app.name, document, app.document)
    return App(app.name, document)


def write(app: App, base: App) -> None:
    """Write to the app's document what differs between `base` and `app`.

    The rest stays: comments, and what commands without the lock (apps:lock) have written in the meantime.
    """
    path = layout.app(app.name)
    documents.edit(open_store(), path, lambda document: merge.apply_difference(document, base.document, app.document))


def edit_app(name: str, edit: Callable) -> App:
    """Change the app's document under its lock, but nothing that runs: it takes effect with the next release."""
    with locks.app_lock(name):
        return apps.edit(name, edit)


def change_all(reason: str, restart: bool = True) -> int:
    """Roll out a change for all apps to each of them, one after the other; return how many failed."""
    failed = 0
    for name in apps.names():
        try:
            release = change(name, reason, restart=restart)
        except Exception as error:
            failed += apps.has_failed(name, error)
        else:
            output.info(f"{name}: {release.name + ' is live' if release else 'nothing to do'}")
    return failed
