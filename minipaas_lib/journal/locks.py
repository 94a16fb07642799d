"""The lock of an app, held around everything that changes it."""

import contextlib
import functools
import os

from minipaas_lib import caller, errors, output
from minipaas_lib.journal import cancellation, held, journal, resume
from minipaas_lib.records import apps
from minipaas_lib.store import is_current, layout, open_store
from minipaas_lib.store.contract import LockHolder

LONGEST = 600
"""Seconds that a command waits for a lock if it was given --wait without a duration."""

_names: set[str] = set()


@contextlib.contextmanager
def app_lock(name: str, frozen_too: bool = False):
    """Hold the app's lock. First, what a dead holder left half done is finished or undone.

    Raises errors.NotFound, and errors.Locked if another command holds it or apps:lock froze the app (unless
    `frozen_too`).
    """
    with name_lock(name):
        app = apps.load(name)
        if app.frozen and not frozen_too:
            raise errors.Locked(f"{name} is locked: {app.frozen}", f"apps:unlock {name}")
        yield


@contextlib.contextmanager
def name_lock(name: str):
    """Like app_lock, whether or not there is an app of that name."""
    with bare_lock(name, held.patience):
        resume.recover(name)
        try:
            yield
        except BaseException as error:
            journal.note_failure(name, error)
            raise


@contextlib.contextmanager
def bare_lock(name: str, wait: float):
    """Hold the lock without recovery, waiting up to `wait` seconds for it.

    Raises errors.Locked, also if another store has come into use.
    """
    lock = _taken(name, wait)
    held.locks.append(lock)
    _names.add(name)
    try:
        if not is_current():
            raise errors.Locked("this host has just joined a cluster or left one", "repeat the command")
        yield
    finally:
        _names.discard(name)
        held.locks.remove(lock)
        lock.release()


def _taken(name: str, wait: float):
    """Take the lock. A command that waits for it says so, and a hang-up cancels it."""
    take = functools.partial(open_store().lock, layout.folder(name), holder())
    try:
        return take(wait=0.0)
    except errors.Locked as error:
        if wait <= 0:
            raise errors.Locked(error.message, _hint(error)) from None
        output.info(f"{error.message}; waiting for it, {wait:g} seconds at most")
    try:
        with cancellation.cancellable():
            return take(wait=wait)
    except errors.Locked as error:
        raise errors.Locked(error.message, _hint(error)) from None


def _hint(error: errors.Locked) -> str:
    return "wait for it to finish, or: git push -o wait" if caller.is_push() else error.hint


def is_held(name: str) -> bool:
    """Whether this process holds the app's lock."""
    return name in _names


def lock_app(name: str, reason: str) -> None:
    """Refuse changes of the app from now on. Works without its lock: a command in progress continues.

    Raises errors.UsageError.
    """

    def edit(document) -> None:
        if document.get("locked"):
            raise errors.UsageError(f"{name} is already locked: {document['locked']}", f"apps:unlock {name}")
        document["locked"] = reason

    apps.edit(name, edit)


def unlock_app(name: str) -> None:
    """Allow changes of the app again."""
    apps.edit(name, lambda document: document.pop("locked", None))


def holder() -> LockHolder:
    """This process as the holder of a lock."""
    command = "git push" if caller.is_push() else caller.command() or "minipaas"
    return LockHolder(command, caller.key(), apps.now(), caller.host(), os.getpid())


def held_by(name: str) -> LockHolder | None:
    """Who is changing the app now, or None."""
    return open_store().lock_holder(layout.folder(name))
