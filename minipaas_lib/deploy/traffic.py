"""Route the requests to an app's domains: to processes of a release, or to a page that says why there are none.

The domains of an app belong to it from the moment they are set, even while nothing of it is live.
"""

import contextlib

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines, engines, manager
from minipaas_lib.deploy import compose, drain, plan
from minipaas_lib.journal import locks
from minipaas_lib.model.app import App
from minipaas_lib.model.process import Process
from minipaas_lib.model.release import Release
from minipaas_lib.model.route import NOT_DEPLOYED, OFF, Backend, Route, make_route, stand_ins, withheld_route
from minipaas_lib.records import apps, releases


def switch(app: App, release: Release, processes: list[Process]) -> None:
    """Route traffic to the processes in one change."""
    backends = [process.backend for process in processes if process.process_type == "web"]
    route = route_of(app, release, backends)
    active_engines.router().apply(route or off(app, release))
    manager.notify("route_changed", app=app, route=route)


def route_of(app: App, release: Release, backends: list[Backend]) -> Route | None:
    return make_route(app.name, release.name, release.routing, release.port, backends)


def route_to_come(app: App, release: Release) -> Route:
    """The route that the release will have, with placeholders for addresses that are not known yet."""
    return route_of(app, release, stand_ins(release.formation.get("web", 0))) or off(app, release)


def off(app: App, release: Release) -> Route:
    """The route of an app whose proxy is disabled, which keeps its domains."""
    return withheld_route(app.name, release.routing, OFF)


def route_back(app: App, release: Release, previous: Release | None, present: list[Process]) -> None:
    """Send traffic back to where it went before `release`, to the processes that are `present`.

    Raises errors.MinipaasError only if requests may still go to processes of `release`: a router that is unavailable
    still has the former route, if it never applied the new one.
    """
    try:
        if previous is None:
            settle(app.name)
        else:
            switch(app, previous, list(plan.make_plan(previous, present, drain.waiting(app.name)).keep))
    except errors.MinipaasError:
        if engines.placed(active_engines.router(), app.name) in (None, release.name):
            raise


def settle(name: str) -> None:
    """Route the domains of an app without a live release to a page; remove the route if there is no such app.

    The caller holds the app's lock: nothing of the app is live, or about to be. Raises errors.MinipaasError.
    """
    try:
        app = apps.load(name)
    except errors.NotFound:
        active_engines.router().remove(name)
        return
    if releases.live(name) is None:
        active_engines.router().apply(withheld_route(name, compose.routing(app, ""), NOT_DEPLOYED))


def announce(name: str) -> None:
    """Like settle, but a failure of the router is only reported.

    If another command holds the app's lock nothing is done: that command sets the route.
    """
    with contextlib.suppress(errors.Locked):
        with contextlib.nullcontext() if locks.is_held(name) else locks.bare_lock(name, 0):
            try:
                settle(name)
            except errors.Cancelled:
                raise
            except errors.MinipaasError as error:
                output.warn(
                    f"the domains of {name} do not say yet that it is not deployed ({error.message}); "
                    f"to try again: ps:restore {name}"
                )
