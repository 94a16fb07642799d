"""Locks of one host: a file each, held by flock(2), so that the kernel frees them when the holder dies.

The file holds a line of JSON about the holder. It is never removed: a lock on a removed file excludes nobody.
"""

import contextlib
import fcntl
import os
import time

from minipaas_lib.store import shared
from minipaas_lib.store.contract import LockHolder

_POLL = 0.1  # seconds between two tries of a waiting command
_GRACE = 1.0  # seconds within which a new holder has certainly written who it is


class FileLock:
    """A held lock. Implements contract.Lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._owner = os.getpid()

    def check(self) -> None:
        """Do nothing: a live process cannot lose a file lock."""

    def release(self) -> None:
        """Free the lock. A second call does nothing; in a forked child it only lets go of the child's copy."""
        if self._descriptor >= 0 and os.getpid() == self._owner:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing alone would not free it while a child has a copy
        self.close_in_child()

    def close_in_child(self) -> None:
        """Close the inherited descriptor without freeing the lock; otherwise the child would keep the lock."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> "FileLock":
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()


def take(path: str, name: str, holder: LockHolder, wait: float) -> FileLock:
    """Take the lock `name` on the file `path` within `wait` seconds. Raises errors.Locked, OSError."""
    started = time.monotonic()
    descriptor = _open(path)
    try:
        while not _try(descriptor):
            waited = time.monotonic() - started
            present = _read(descriptor)
            if waited >= wait and (present or waited >= _GRACE):
                raise shared.locked(name, present)
            time.sleep(min(_POLL, max(wait - waited, 0.01)))
        with contextlib.suppress(OSError):  # a command that frees a full disk needs its lock too, even a nameless one
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, shared.holder_to_text(holder).encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    return FileLock(descriptor)


def holder_of(path: str) -> LockHolder | None:
    """Who holds the lock at `path` now, or None. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        present = _read(descriptor)
        if present and _try(descriptor):  # its holder was killed: its name would mislead the next reader
            os.ftruncate(descriptor, 0)
            return None
        return present
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def briefly(path: str, limit: float):
    """Hold the file `path` for the length of one write. Raises TimeoutError (an OSError) after `limit` seconds.

    It polls, because a blocking flock has no limit and would stop every greenlet of a gevent process.
    """
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + limit
        while not _try(descriptor):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"another process has been writing for {limit:g} seconds")
            time.sleep(0.002)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # closing alone would not free it if a thread forked in the meantime
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # Python's descriptors are close-on-exec
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(descriptor: int) -> LockHolder | None:
    return shared.holder_from_text(os.pread(descriptor, 65536, 0).decode("utf-8", "replace"))
