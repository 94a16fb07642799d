"""Where the requests to an app's domains go: to processes of a release, or to a page that says why there are none.

The domains of an app are its own from the moment they are set, also while nothing of it is live.
"""

import contextlib

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines, manager
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
    """The route that the release leads to, with stand-ins for the addresses, which are not known yet."""
    return route_of(app, release, stand_ins(release.formation.get("web", 0))) or off(app, release)


def off(app: App, release: Release) -> Route:
    """In the place of a route, where the app wants none: its domains are its own all the same."""
    return withheld_route(app.name, release.routing, OFF)


def route_back(app: App, release: Release, previous: Release | None, present: list[Process]) -> None:
    """Send traffic where it went before `release`, to those of the processes that are `present`.

    Raises errors.MinipaasError only where requests may still go to processes of `release`: a router that is not there
    just now has the former route in place already, if it never took the new one.
    """
    try:
        if previous is None:
            settle(app.name)
        else:
            switch(app, previous, list(plan.make_plan(previous, present, drain.waiting(app.name)).keep))
    except errors.MinipaasError:
        placed = getattr(active_engines.router(), "placed", None)
        if placed is None or placed(app.name) == release.name:
            raise


def settle(name: str) -> None:
    """Have the router answer for the domains of an app that has no live release; for those of no app it forgets them.

    The caller holds the app's lock: nothing of the app is live, and nothing is about to be. Raises
    errors.MinipaasError.
    """
    try:
        app = apps.load(name)
    except errors.NotFound:
        active_engines.router().remove(name)
        return
    if releases.live(name) is None:
        active_engines.router().apply(withheld_route(name, compose.routing(app, ""), NOT_DEPLOYED))


def announce(name: str) -> None:
    """As settle, for an app that is there and goes on without it: a router that does not answer is only told of.

    Without the app's lock nothing is done: whoever holds it routes the app, or settles it.
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
