"""The Store contract. Every backend (directory, etcd) keeps it, and one test suite runs against each.

State is a tree of small text documents named by slash-separated paths (`apps/blog/app.toml`). A revision is an
opaque string that changes with every change of the document's content.
"""

from typing import NamedTuple, Protocol

ABSENT = ""
"""As `if_revision`: the document must not exist yet."""


class Document(NamedTuple):
    text: str
    revision: str


class LockHolder(NamedTuple):
    """Who holds a lock, for the sentence a second comer reads."""

    command: str
    key: str  # the SSH key's name, or "root" for the local command line
    since: str  # UTC, ISO 8601
    host: str
    pid: int


class Lock(Protocol):
    def release(self) -> None: ...

    def __enter__(self) -> "Lock": ...

    def __exit__(self, *exc: object) -> None: ...


class Store(Protocol):
    def read(self, path: str) -> Document:
        """The document at `path`. Raises errors.NotFound."""

    def write(self, path: str, text: str, if_revision: str | None = None) -> str:
        """Write durably (it survives a power cut once this returns) and return the new revision.

        `if_revision` None writes in any case; ABSENT only where there is none yet; else only over that revision.
        Raises errors.Conflict when the condition does not hold, errors.Unavailable when the disk or server refuses;
        in both cases the old document is still whole.
        """

    def delete(self, path: str, if_revision: str | None = None) -> None:
        """Remove a document. Raises errors.NotFound, errors.Conflict."""

    def delete_tree(self, prefix: str) -> None:
        """Remove every document below `prefix`; nothing happens where there is none."""

    def exists(self, path: str) -> bool:
        """Whether there is a document at `path`."""

    def children(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, documents and folders, sorted. Empty where there is none."""

    def list(self, prefix: str = "") -> list[str]:
        """The full paths of all documents below `prefix`, sorted."""

    def watch(self, prefix: str, since: str | None = None, timeout: float = 60.0) -> str | None:
        """Wait until something below `prefix` differs from the token `since`, and return the new token.

        Without `since`, return the present token at once. None after `timeout` seconds without a change. Several
        changes may be told as one: the caller lists again. (etcd forgets events, so no backend promises each.)
        """

    def lock(self, name: str, holder: LockHolder, ttl: float = 60.0, wait: float = 0.0) -> Lock:
        """Take the lock `name`, waiting up to `wait` seconds. Raises errors.Locked that names the holder.

        A lock whose holder died is free: at once in the directory, after `ttl` seconds in etcd.
        """

    def lock_holder(self, name: str) -> LockHolder | None:
        """Who holds the lock now, or None."""
