"""The domains of an app that nothing of is live: they are its own all the same, and the router says so to who asks."""

import contextlib

from minipaas_lib import errors, output
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import compose
from minipaas_lib.journal import locks
from minipaas_lib.model.route import NOT_DEPLOYED, withheld_route
from minipaas_lib.records import apps, releases


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
