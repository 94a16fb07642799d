"""Locks of a cluster: a key each, which etcd removes `ttl` seconds after its holder last refreshed it.

A holder that cannot refresh it (it hangs, its network is cut) must stop before another begins: `EtcdLock.check`.
A holder that died on this host need not be waited for.
"""

import contextlib
import json
import os
import threading
import time

from minipaas_lib import errors
from minipaas_lib.store import shared
from minipaas_lib.store.contract import LockHolder
from minipaas_lib.store.etcd_client import Cleared, Differs, Missing, WrongKind
from minipaas_lib.store.etcd_cluster import Cluster
from minipaas_lib.toolkit import process_identity

_WAIT = 5.0  # seconds of one watch of a lock that another holds
_RETRY = 1.0  # seconds between two attempts to refresh
_unsure: set[str] = set()  # values of unanswered claims: etcd may still write them, and nobody holds them


class EtcdLock:
    """A held lock. Implements contract.Lock."""

    def __init__(self, cluster: Cluster, key: str, value: str, name: str, ttl: float, began: float) -> None:
        self._cluster, self._key, self._value, self._name, self._ttl = cluster, key, value, name, ttl
        self._until = began + ttl  # on the monotonic clock, which runs on while the process is stopped
        self._owner, self._ended, self._lost = os.getpid(), threading.Event(), False
        threading.Thread(target=self._keep, name=f"lock {name}", daemon=True).start()

    def check(self) -> None:
        """Raise errors.Unavailable unless the lock is certainly still held. For the holder, not for its children."""
        if self._lost or (time.monotonic() > self._until - self._ttl / 3 and not self._refresh()):
            subject = self._name.rpartition("/")[2]
            raise errors.Unavailable(
                f"the lock on {subject} was lost: etcd did not hear from this command for {self._ttl:g} s",
                "repeat the command: it first finishes what this one has left",
            )

    def release(self) -> None:
        """Free the lock. A second call does nothing; in a forked child it only lets go of the child's copy."""
        if os.getpid() == self._owner and not self._ended.is_set():
            self._ended.set()
            with contextlib.suppress(Missing, Differs, WrongKind, errors.Unavailable):  # then its time runs out
                self._cluster.remove_value(self._key, self._value)

    def close_in_child(self) -> None:
        """In a forked child: nothing to do, as the thread that refreshes the lock is not forked."""

    def __enter__(self) -> "EtcdLock":
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()

    def _keep(self) -> None:
        pause = self._ttl / 3
        while not self._ended.wait(pause):
            refreshed = self._refresh()
            if self._lost:
                return
            pause = self._ttl / 3 if refreshed else min(_RETRY, self._ttl / 10)

    def _refresh(self) -> bool:
        """Extend the lock; return whether that succeeded."""
        began = time.monotonic()
        try:
            self._cluster.refresh(self._key, self._value, self._ttl)
        except (Missing, Differs, WrongKind):
            self._lost = not self._ended.is_set()
        except errors.MinipaasError:
            pass
        else:
            self._until = began + self._ttl
            return True
        return False


def take(cluster: Cluster, key: str, name: str, holder: LockHolder, ttl: float, wait: float) -> EtcdLock:
    """Take the lock `name`, kept at `key`, within `wait` seconds. Raises errors.Locked, errors.Unavailable."""
    started = time.monotonic()
    value = json.dumps({**holder._asdict(), "process": _process(os.getpid()), "token": os.urandom(16).hex()})
    ttl = max(1.0, -(-ttl // 1))  # etcd counts whole seconds
    while True:
        began = time.monotonic()
        try:
            cluster.swap(key, value, 0, ttl, claim=True)
            return EtcdLock(cluster, key, value, name, ttl, began)
        except Differs:
            pass
        except errors.Unavailable:
            _unsure.add(value)
            raise
        try:
            present = cluster.read(key)
        except Missing:  # it has just been freed
            if time.monotonic() - started < wait + _RETRY:
                continue
            raise shared.locked(name, None) from None
        text = present.value or ""
        if text in _unsure or _died_here(text):
            with contextlib.suppress(Missing, Differs, WrongKind):
                cluster.remove_value(key, text)
            continue
        left = wait - (time.monotonic() - started)
        if left <= 0:
            raise shared.locked(name, shared.holder_from_text(text))
        with contextlib.suppress(Cleared):
            cluster.wait(key, present.etcd_index, min(left, _WAIT))


def holder_of(cluster: Cluster, key: str) -> LockHolder | None:
    """Who holds the lock kept at `key`, or None. Raises errors.Unavailable."""
    try:
        value = cluster.read(key).value or ""
    except Missing:
        return None
    return None if value in _unsure or _died_here(value) else shared.holder_from_text(value)


def _process(pid: int) -> list:
    """A unique identity of a local process: boot, pid namespace, pid, start. Raises OSError if it does not exist."""
    return [process_identity.boot(), os.stat("/proc/self/ns/pid").st_ino, pid, process_identity.began(pid)]


def _died_here(value: str) -> bool:
    """Whether the lock with that value was held by a process of this host that is dead."""
    try:
        process = json.loads(value)["process"]
        boot, space, pid, start = process
        mine = _process(os.getpid())
        if mine[:2] != [boot, space]:
            return False
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return process_identity.began(int(pid)) != start
