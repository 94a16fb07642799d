"""Stop draining processes when their time is over, after the command that replaced them has returned."""

import contextlib
import time

from minipaas_lib import errors
from minipaas_lib.deploy import auto_rollback, drain
from minipaas_lib.journal import background, locks
from minipaas_lib.store import layout, open_store

LOOK_AGAIN = 1.0  # seconds; a process with an earlier deadline may have been added
PATIENCE = 600  # seconds of retries for a process that cannot be stopped, or a store that does not answer


def spawn(app: str) -> None:
    """Run the worker in a process of its own, which inherits no locks, pipes or sockets."""
    background.spawn(lambda: run(app))


def run(app: str) -> None:
    """Stop and forget every draining process of the app when its time is over.

    Single worker per app: a second one returns at once; the first re-checks the list after releasing the lock. If the
    store does not answer for a while it retries, as nobody else would. Raises errors.Unavailable in the end.
    """
    end = 0.0
    while True:
        try:
            return _work(app)
        except errors.Locked:
            if not end:
                return
            failure = None  # the lock may be its own, whose release was lost
        except errors.Unavailable as error:
            failure = error
        end = end or time.time() + PATIENCE
        if time.time() > end:
            if failure:
                raise failure
            return
        time.sleep(LOOK_AGAIN)


def _work(app: str) -> None:
    """Do the worker's job once. Raises errors.Locked while another one does it, errors.Unavailable."""
    while drain.deadlines(app):
        with open_store().lock(f"retire/{app}", locks.holder()) as lock:
            while present := drain.deadlines(app):
                lock.check()
                soonest, now = min(present.values()), time.time()
                if due := [name for name, deadline in present.items() if deadline <= now]:
                    try:
                        drain.finish(app, *due)
                    except errors.Unavailable:  # docker is restarting; if this gives up, the next command continues
                        if time.time() > soonest + PATIENCE:
                            return
                        time.sleep(LOOK_AGAIN)
                else:
                    auto_rollback.check(app)
                    time.sleep(max(0.0, min(LOOK_AGAIN, soonest - time.time())))
            auto_rollback.end_with_drain(app)
            forget_renamed(app)


def forget_renamed(app: str) -> None:
    """Remove the empty list of an app that was renamed or has gone."""
    with contextlib.suppress(errors.NotFound, errors.Conflict):
        revision = open_store().read(layout.retiring(app)).revision
        if not drain.waiting(app) and not open_store().exists(layout.app(app)):
            open_store().delete(layout.retiring(app), revision)
