"""One lock for each app around everything that changes it."""

import contextlib
import os

from minipaas_lib import caller, errors
from minipaas_lib.pipeline import apps
from minipaas_lib.store import open_store
from minipaas_lib.store.contract import LockHolder

patience = 0.0
"""Seconds this command waits for a lock; the option --wait sets it."""

held: list = []
"""Locks of this process, for children that must not inherit them."""


@contextlib.contextmanager
def app_lock(name: str, frozen_too: bool = False):
    """Hold the app's lock. What a dead holder left half done is put right first.

    Raises errors.Locked when somebody else holds it, or when apps:lock froze the app (unless `frozen_too`).
    """
    lock = open_store().lock(f"apps/{name}", holder(), wait=patience)
    held.append(lock)
    try:
        app = apps.load(name)
        if app.frozen and not frozen_too:
            raise errors.Locked(f"{name} is locked: {app.frozen}", f"apps:unlock {name}")
        from minipaas_lib.pipeline import recover

        recover.recover(name)
        yield
    finally:
        held.remove(lock)
        lock.release()


def holder() -> LockHolder:
    """This process as the holder of a lock."""
    return LockHolder(caller.command() or "minipaas", caller.key(), apps.now(), caller.host(), os.getpid())


def held_by(name: str) -> LockHolder | None:
    """Who is changing the app now, or None."""
    return open_store().lock_holder(f"apps/{name}")
