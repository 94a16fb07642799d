"""The Store contract. Every backend (directory, etcd) keeps it, and one test suite runs against each.

State is a tree of small text documents named by slash-separated paths (`apps/blog/app.toml`). A revision is an
opaque string that changes with every change of the document's content. A segment of a path is letters, digits and
`. _ - + @ :`, beginning with a letter or digit; other files in the tree (an editor's, say) are ignored.

Every method raises errors.UsageError for an invalid path, and errors.Unavailable when the disk or server refuses. A
folder exists exactly as long as a document is below it.

Documents below EXPIRING are signs of life: they have a time to live and vanish when it is over. No others expire.
"""

import os
import time
from typing import NamedTuple, Protocol

ABSENT = ""
"""As `if_revision`: the document must not exist yet."""

EXPIRING = ("services", "routers")
"""The top-level folders whose documents expire."""

LONGEST = 1_000_000
"""Bytes of a document; hand-written config is a hundredth of that."""


class Document(NamedTuple):
    text: str
    revision: str


class Tree(NamedTuple):
    """A snapshot of documents."""

    documents: dict[str, Document]  # by path, sorted
    token: str  # for watch(prefix, token): reports every change that is not in `documents`


class LockHolder(NamedTuple):
    """Who holds a lock, for the message that others get: nothing in it may be secret."""

    command: str  # the verb and the app ("git push", "ps:scale blog"), never the values given
    key: str  # the SSH key's name, or "root" for the local command line
    since: str  # UTC, ISO 8601
    host: str
    pid: int

    @classmethod
    def here(cls, command: str, key: str) -> "LockHolder":
        """This process, now."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return cls(command, key, now, os.uname().nodename, os.getpid())


class Lock(Protocol):
    def check(self) -> None:
        """Raise errors.Unavailable unless the lock is certainly still held; cheap enough to call before every step."""

    def release(self) -> None:
        """Free the lock. A second call does nothing; in a forked child it only lets go of the child's copy."""

    def close_in_child(self) -> None:
        """In a forked child: let go of the inherited lock without freeing it for others."""

    def __enter__(self) -> "Lock": ...

    def __exit__(self, *exc: object) -> None: ...


class Store(Protocol):
    shared: bool
    """Whether other hosts use it too, so that it must hold all they need to continue this host's work."""

    def read(self, path: str) -> Document:
        """The document at `path`. Raises errors.NotFound, errors.BadConfig (it is not UTF-8)."""

    def write(self, path: str, text: str, if_revision: str | None = None, ttl: float | None = None) -> str:
        """Write durably (it survives a power cut once this returns) and return the new revision.

        `if_revision`: None writes unconditionally, ABSENT only if there is no document yet, else only over that
        revision. `ttl`, in seconds, is required below EXPIRING and forbidden elsewhere. Raises errors.Conflict if the
        condition does not hold, errors.Unavailable when the disk or server refuses; either way the old document stays.
        Raises errors.UsageError for a text of more than LONGEST bytes.
        """

    def renew(self, path: str, ttl: float) -> str:
        """Keep a document below EXPIRING for `ttl` seconds from now, and return its revision.

        Watchers are not notified. Raises errors.NotFound if it has expired.
        """

    def delete(self, path: str, if_revision: str | None = None) -> None:
        """Remove a document. Raises errors.NotFound, errors.Conflict."""

    def delete_tree(self, prefix: str) -> None:
        """Remove every document below `prefix` (never "") at once; does nothing if there is none."""

    def exists(self, path: str) -> bool:
        """Whether there is a document at `path`."""

    def children(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, documents and folders, sorted."""

    def list(self, prefix: str = "") -> list[str]:
        """The full paths of all documents below `prefix`, sorted."""

    def read_all(self, prefix: str = "") -> Tree:
        """All documents below `prefix`, and the token to watch from. Raises errors.BadConfig (one is not UTF-8)."""

    def location(self, path: str) -> str:
        """Where to find the document at `path` to edit it by hand: a file name, or a key of the server."""

    def export(self, folder: str) -> None:
        """Copy the tree without what expires, byte for byte, to the local `folder`, which must not exist yet.

        The copy is complete or absent.
        """

    def watch(self, prefix: str, since: str | None = None, timeout: float = 60.0) -> str | None:
        """Wait until `prefix`, or something below it, differs from the token `since`, and return the new token.

        Without `since`, return the present token at once. None after `timeout` seconds without a change. Several
        changes may be reported as one, so the caller lists again. (etcd forgets events: no backend promises each.)
        """

    def lock(self, name: str, holder: LockHolder, ttl: float = 60.0, wait: float = 0.0) -> Lock:
        """Take the lock `name`, waiting up to `wait` seconds. Raises errors.Locked that names the holder.

        A lock whose holder died is free: at once in the directory, after `ttl` seconds in etcd.
        """

    def lock_holder(self, name: str) -> LockHolder | None:
        """Who holds the lock now, or None."""
