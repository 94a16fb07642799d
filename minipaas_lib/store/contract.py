"""The Store contract. Every backend (directory, etcd) keeps it, and one test suite runs against each.

State is a tree of small text documents named by slash-separated paths (`apps/blog/app.toml`). A revision is an
opaque string that changes with every change of the document's content. A segment of a path is letters, digits and
`. _ - + @ :`, beginning with a letter or digit; other files that lie in the tree (an editor's, say) are not seen.

Every method raises errors.UsageError for what is not such a path, and errors.Unavailable when the disk or server
refuses. A folder is there exactly as long as a document is below it.

Documents below EXPIRING are signs of life: each is written for a time and vanishes when that is over. Only those do.
"""

import os
import time
from typing import NamedTuple, Protocol

ABSENT = ""
"""As `if_revision`: the document must not exist yet."""


EXPIRING = ("services", "routers")
"""The folders at the top whose documents expire."""

LONGEST = 1_000_000
"""Bytes of a document; a person's config is a hundredth of it."""


class Document(NamedTuple):
    text: str
    revision: str


class Tree(NamedTuple):
    """Documents as they were at one moment."""

    documents: dict[str, Document]  # by path, sorted
    token: str  # for watch(prefix, token): tells of every change that is not in `documents`


class LockHolder(NamedTuple):
    """Who holds a lock, for the sentence a second comer reads: nothing in it may be secret."""

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
        """Raise errors.Unavailable unless the lock is still surely held; cheap enough to ask before every step."""

    def release(self) -> None:
        """Free the lock. A second call does nothing; in a forked child it only lets go of the child's copy."""

    def close_in_child(self) -> None:
        """In a forked child: let go of the inherited lock without freeing it for others."""

    def __enter__(self) -> "Lock": ...

    def __exit__(self, *exc: object) -> None: ...


class Store(Protocol):
    shared: bool
    """Whether other hosts use it too, so that what they need to go on with our work must be in it."""

    def read(self, path: str) -> Document:
        """The document at `path`. Raises errors.NotFound, errors.BadConfig (it is not UTF-8)."""

    def write(self, path: str, text: str, if_revision: str | None = None, ttl: float | None = None) -> str:
        """Write durably (it survives a power cut once this returns) and return the new revision.

        `if_revision` None writes in any case; ABSENT only where there is none yet; else only over that revision. `ttl`,
        in seconds, must be given below EXPIRING and nowhere else. Raises errors.Conflict when the condition does not
        hold, errors.Unavailable when the disk or server refuses; in both cases the old document is still whole.
        Raises errors.UsageError for a text of more than LONGEST bytes.
        """

    def renew(self, path: str, ttl: float) -> str:
        """Let a document below EXPIRING live on for `ttl` seconds from now, and return its revision.

        Those who watch are not told. Raises errors.NotFound where it has expired.
        """

    def delete(self, path: str, if_revision: str | None = None) -> None:
        """Remove a document. Raises errors.NotFound, errors.Conflict."""

    def delete_tree(self, prefix: str) -> None:
        """Remove every document below `prefix` (never "") at once; nothing happens where there is none."""

    def exists(self, path: str) -> bool:
        """Whether there is a document at `path`."""

    def children(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, documents and folders, sorted. Empty where there is none."""

    def list(self, prefix: str = "") -> list[str]:
        """The full paths of all documents below `prefix`, sorted."""

    def read_all(self, prefix: str = "") -> Tree:
        """All documents below `prefix`, and the token to watch from. Raises errors.BadConfig (one is not UTF-8)."""

    def location(self, path: str) -> str:
        """Where a person finds the document at `path`, to mend it by hand: a file name, a server's key."""

    def export(self, folder: str) -> None:
        """Copy the tree but what expires, bytes as they are, into `folder` of this host, which must not exist yet.

        The copy is whole or absent.
        """

    def watch(self, prefix: str, since: str | None = None, timeout: float = 60.0) -> str | None:
        """Wait until `prefix`, or something below it, differs from the token `since`, and return the new token.

        Without `since`, return the present token at once. None after `timeout` seconds without a change. Several
        changes may be told as one: the caller lists again. (etcd forgets events, so no backend promises each.)
        """

    def lock(self, name: str, holder: LockHolder, ttl: float = 60.0, wait: float = 0.0) -> Lock:
        """Take the lock `name`, waiting up to `wait` seconds. Raises errors.Locked that names the holder.

        A lock whose holder died is free: at once in the directory, after `ttl` seconds in etcd.
        """

    def lock_holder(self, name: str) -> LockHolder | None:
        """Who holds the lock now, or None."""
