"""Stop draining processes when their time has come, after the command that replaced them has returned."""

import contextlib
import time

from minipaas_lib import errors
from minipaas_lib.deploy import auto_rollback, drain
from minipaas_lib.journal import background, locks
from minipaas_lib.records import apps
from minipaas_lib.store import open_store

LOOK_AGAIN = 1.0  # seconds; meanwhile a process may be added whose time comes sooner
PATIENCE = 600  # seconds that a process which cannot be stopped is tried again, and a store that does not answer


def spawn(app: str) -> None:
    """Retire in a process of its own, which holds none of our locks, pipes or sockets."""
    background.spawn(lambda: run(app))


def run(app: str) -> None:
    """Stop and forget every retiring process of the app when its time has come. One process does so at a time.

    A second one leaves the work to the first, which looks again after it has let go of the lock. Nobody repeats this
    one's work where the store does not answer for a while: it tries again itself. Raises errors.Unavailable in the end.
    """
    end = 0.0
    while True:
        try:
            return _work(app)
        except errors.Locked:
            if not end:
                return
            failure = None  # the lock may be our own, whose release the store did not hear
        except errors.Unavailable as error:
            failure = error
        end = end or time.time() + PATIENCE
        if time.time() > end:
            if failure:
                raise failure
            return
        time.sleep(LOOK_AGAIN)


def _work(app: str) -> None:
    """Raises errors.Locked while another one does it, errors.Unavailable."""
    while drain.deadlines(app):
        with open_store().lock(f"retire/{app}", locks.holder()) as lock:
            while present := drain.deadlines(app):
                lock.check()
                soonest, now = min(present.values()), time.time()
                if due := [name for name, deadline in present.items() if deadline <= now]:
                    try:
                        drain.finish(app, *due)
                    except errors.Unavailable:  # docker restarts; the next command goes on where we give up
                        if time.time() > soonest + PATIENCE:
                            return
                        time.sleep(LOOK_AGAIN)
                else:
                    auto_rollback.look(app)
                    time.sleep(max(0.0, min(LOOK_AGAIN, soonest - time.time())))
            auto_rollback.end_with_drain(app)
            forget_renamed(app)


def forget_renamed(app: str) -> None:
    """Remove the empty list of an app that has another name now, or is gone."""
    with contextlib.suppress(errors.NotFound, errors.Conflict):
        revision = open_store().read(drain.path(app)).revision
        if not drain.waiting(app) and not open_store().exists(apps.document_path(app)):
            open_store().delete(drain.path(app), revision)
