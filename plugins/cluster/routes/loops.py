"""The endless parts of what follows the routes, on a node and on a head: each goes on when another fails.

Whoever runs them has gevent's patches.
"""

import gevent
from gevent.event import Event

from minipaas_lib import api
from plugins.cluster.routes import reachability, route_reconciler

PAUSE = 1.0  # seconds after a failure
RENEWAL = 5.0  # seconds between two looks at what has to be renewed or probed


def keep_running(what: str, part) -> None:
    """Run a part for ever; a failure is said once and again when it is another."""
    last = ""
    while True:
        try:
            part()
            last = ""
        except api.errors.MinipaasError as error:
            if error.message != last:
                last = error.message
                api.output.warn(f"{what}: {last}; trying again")
        except Exception as error:  # a fault of ours in one part must not end the others
            if repr(error) != last:
                last = repr(error)
                api.output.warn(f"{what} failed: {last}; trying again")
        gevent.sleep(PAUSE)


def watch(store, folder: str, *stale: Event) -> None:
    """Set all of `stale` at once and whenever something below the folder changes."""
    token = store.watch(folder)
    while True:
        for event in stale:
            event.set()
        newer = None
        while newer is None:
            newer = store.watch(folder, token)
        token = newer


def reach(reconciler: route_reconciler.Reconciler, stale: Event) -> None:
    """Have the reconciler look again when other backends are out of reach than before."""
    while True:
        lost = reachability.lost(reconciler.candidates(), reachability.silent, reachability.accepts)
        if lost != reconciler.lost:
            reconciler.lost = lost
            stale.set()
        gevent.sleep(RENEWAL)


def follow(reconciler: route_reconciler.Reconciler, stale: Event) -> None:
    while True:
        stale.wait(RENEWAL)
        stale.clear()
        reconciler.look()
