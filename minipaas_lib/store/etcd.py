"""The store of a cluster: keys below `/minipaas/` in etcd, over its v2 API.

A document's value is its text followed by a mark unique to that write, `#~ ` and 16 hex digits, so that a writer whose
answer was lost can tell its own write from another's of the same text. A text without a mark, written by hand, is
taken as it is. Locks are keys below `_locks`, which etcd does not list. A revision is etcd's modifiedIndex.
"""

import contextlib
import os
from typing import TYPE_CHECKING

from minipaas_lib import errors
from minipaas_lib.store import files, shared
from minipaas_lib.store.contract import ABSENT, Document, LockHolder, Tree

if TYPE_CHECKING:
    from minipaas_lib.store.etcd_cluster import Cluster
    from minipaas_lib.store.etcd_lock import EtcdLock

PREFIX = "/minipaas"
_MARK = "#~ "
_MARK_LENGTH = len(_MARK) + 16
_TRIES = 100  # of an unconditional write; each lost one means that another writer made progress


class EtcdStore:
    """Implements contract.Store in the etcd at `urls`.

    `quorum` False reads what one member knows, which may be a moment old: for watchers, which read again. `memory`
    is a file for the address of the member that answered last. It connects on first use.
    """

    shared = True

    def __init__(
        self, urls: tuple[str, ...], ca: str = "", cert: str = "", key: str = "", memory: str = "", quorum: bool = True
    ) -> None:
        self._about, self._quorum = (urls, ca, cert, key, memory), quorum
        self._opened: Cluster | None = None
        self._quiet: dict[
            tuple[str, int], int
        ] = {}  # a watched key and its token -> an index up to which nothing changed

    @property
    def cluster(self) -> "Cluster":
        """The members of the cluster."""
        if self._opened is None:
            from minipaas_lib import vendor

            vendor.activate()
            from minipaas_lib.store.etcd_cluster import Cluster

            self._opened = Cluster(*self._about)
        return self._opened

    def read(self, path: str) -> Document:
        """The document at `path`. Raises errors.NotFound, errors.Unavailable."""
        node = self._find(shared.check_path(path))
        if node is None or node.value is None:
            raise errors.NotFound(f"there is no {path} in the store")
        return _document(node)

    def exists(self, path: str) -> bool:
        """Whether there is a document at `path`."""
        node = self._find(shared.check_path(path))
        return node is not None and node.value is not None

    def children(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, sorted, without the empty folders that etcd keeps."""
        return shared.children([path for path, _ in self._documents(prefix)], prefix)

    def list(self, prefix: str = "") -> list[str]:
        """The full paths of all documents below `prefix`, sorted."""
        return sorted(path for path, _ in self._documents(prefix))

    def read_all(self, prefix: str = "") -> Tree:
        """A snapshot of all documents below `prefix`, and the token to watch for later changes."""
        top = self._find(shared.check_prefix(prefix), recursive=True)
        if top is None:
            return Tree({}, self._token())
        return Tree({path: _document(node) for path, node in sorted(_below(top))}, str(top.etcd_index))

    def location(self, path: str) -> str:
        """The key of `path`, for etcdctl."""
        return f"etcd:{_key(shared.check_prefix(path))}"

    def write(self, path: str, text: str, if_revision: str | None = None, ttl: float | None = None) -> str:
        """Write and return the new revision. Raises errors.Conflict, errors.Unavailable."""
        shared.check_expiry(path, ttl)
        shared.encode(shared.check_path(path), text)
        for _ in range(_TRIES):
            index = self._index(path) if if_revision is None else _wanted(path, if_revision)
            try:
                return self._swap(path, text, index, ttl)
            except errors.Conflict:
                if if_revision is not None:
                    raise
        raise _conflict(path)

    def _swap(self, path: str, text: str, index: int, ttl: float | None) -> str:
        from minipaas_lib.store.etcd_client import Differs, WrongKind

        try:
            return str(self.cluster.swap(_key(path), text + _MARK + os.urandom(8).hex(), index, ttl))
        except Differs:
            raise _conflict(path) from None
        except WrongKind:
            raise _wrong_kind(path) from None

    def renew(self, path: str, ttl: float) -> str:
        """Keep a document for `ttl` more seconds. Raises errors.NotFound, errors.Unavailable."""
        from minipaas_lib.store.etcd_client import Missing, WrongKind

        shared.check_expiry(path, ttl)
        try:
            return str(self.cluster.refresh(_key(shared.check_path(path)), None, ttl))
        except (Missing, WrongKind):
            raise errors.NotFound(f"there is no {path} in the store") from None

    def delete(self, path: str, if_revision: str | None = None) -> None:
        """Remove a document, and the folders that it leaves empty. Raises errors.NotFound, errors.Conflict."""
        from minipaas_lib.store.etcd_client import Differs, Missing

        shared.check_path(path)
        for _ in range(_TRIES):
            present = self.read(path).revision
            if if_revision not in (None, present):
                raise _conflict(path)
            try:
                self.cluster.remove(_key(path), int(present))
            except (Missing, Differs):
                continue
            return self._prune(path)
        raise _conflict(path)

    def delete_tree(self, prefix: str) -> None:
        """Remove every document below `prefix` at once. Raises errors.UsageError for the empty prefix.

        etcd offers no condition for that. If its answer is lost, the rest is removed document by document.
        """
        top = self._find(shared.check_path(prefix))
        if top is None or top.value is not None:
            return
        if not self.cluster.remove_folder(_key(prefix), recursive=True):
            self._remove_each(prefix)
        self._prune(prefix)

    def _remove_each(self, prefix: str) -> None:
        from minipaas_lib.store.etcd_client import Differs, Missing

        for path, node in self._documents(prefix):
            with contextlib.suppress(Missing, Differs):  # a document written since then is somebody's new one
                self.cluster.remove(node.key, node.modified_index)
            self._prune(path)

    def _prune(self, path: str) -> None:
        """Remove the folders above `path` that are empty; etcd keeps the others."""
        with contextlib.suppress(errors.Unavailable):  # the deletion itself is done
            while path := path.rpartition("/")[0]:
                if not self.cluster.remove_folder(_key(path), recursive=False):
                    return

    def export(self, folder: str) -> None:
        """Copy the whole tree into the new folder `folder`. Raises errors.Unavailable, with nothing left there."""
        documents = {path: document for path, document in self.read_all().documents.items() if not shared.expires(path)}

        def fill(part: str) -> None:
            os.mkdir(part, 0o700)
            for path, document in documents.items():
                place = os.path.join(part, path)
                os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
                files.write(place, document.text.encode(), durably=False)

        try:
            files.make_whole(folder, fill)
        except OSError as error:
            raise errors.Unavailable(f"cannot copy the store to {folder}: {error.strerror or error}") from error

    def watch(self, prefix: str, since: str | None = None, timeout: float = 60.0) -> str | None:
        """Wait until `prefix`, or something below it, differs from the token `since`; see contract.Store.

        A token is etcd's index. If etcd has forgotten the events after it, that counts as a change.
        """
        from minipaas_lib.store.etcd_client import Cleared

        key = _key(shared.check_prefix(prefix))
        if since is None or not since.isdecimal():
            return self._token()
        known = (key, int(since))
        try:
            changed, quiet = self.cluster.wait(key, self._quiet.get(known, int(since)), timeout)
        except Cleared:
            return self._token()
        self._quiet.pop(known, None)
        if changed is not None:
            return str(changed)
        self._quiet[known] = quiet
        return None

    def reached(self, token: str, revision: str) -> bool:
        """Whether a read at the watch token `token` includes the write that returned `revision`."""
        return int(token) >= int(revision)

    def lock(self, name: str, holder: LockHolder, ttl: float = 60.0, wait: float = 0.0) -> "EtcdLock":
        """Take the lock `name` and keep it alive. Raises errors.Locked, errors.Unavailable."""
        key, cluster = _lock_key(name), self.cluster
        from minipaas_lib.store import etcd_lock

        return etcd_lock.take(cluster, key, name, holder, ttl, wait)

    def lock_holder(self, name: str) -> LockHolder | None:
        """Who holds the lock now, or None."""
        key, cluster = _lock_key(name), self.cluster
        from minipaas_lib.store import etcd_lock

        return etcd_lock.holder_of(cluster, key)

    def _find(self, path: str, recursive: bool = False):
        """The key at `path`, or None."""
        cluster = self.cluster
        from minipaas_lib.store.etcd_client import Missing, WrongKind

        try:
            return cluster.read(_key(path), recursive, self._quorum)
        except (Missing, WrongKind):
            return None

    def _documents(self, prefix: str):
        top = self._find(shared.check_prefix(prefix), recursive=True)
        return [] if top is None else list(_below(top))

    def _index(self, path: str) -> int:
        """The index of the document to overwrite, 0 if there is none. Raises errors.UsageError for a folder."""
        node = self._find(path)
        if node is not None and node.value is None:
            raise _wrong_kind(path)
        return node.modified_index if node else 0

    def _token(self) -> str:
        return str(self.cluster.read("/", quorum=self._quorum).etcd_index)


def _below(top):
    """Yield (path, node) of the documents below the folder `top`, ignoring keys that are not paths of the store."""
    for node in top.leaves() if top.value is None else ():
        path = node.key.removeprefix(PREFIX + "/")
        if all(map(shared.is_segment, path.split("/"))):
            yield path, node


def _document(node) -> Document:
    text, mark = node.value[:-_MARK_LENGTH], node.value[-_MARK_LENGTH:]
    marked = mark.startswith(_MARK) and set(mark[len(_MARK) :]) <= set("0123456789abcdef") and len(mark) == _MARK_LENGTH
    return Document(text if marked else node.value, str(node.modified_index))


def _key(path: str) -> str:
    return f"{PREFIX}/{path}" if path else PREFIX


def _lock_key(name: str) -> str:
    """One level deep, so that a lock on `apps` does not exclude one on `apps/blog`."""
    return f"{PREFIX}/_locks/{shared.check_path(name).replace('/', ',')}"


def _wanted(path: str, revision: str) -> int:
    """The index that `revision` stands for. Raises errors.Conflict for anything else."""
    if revision == ABSENT:
        return 0
    if not (revision.isascii() and revision.isdecimal() and 0 < len(revision) <= 18 and int(revision)):
        raise _conflict(path)
    return int(revision)


def _conflict(path: str) -> errors.Conflict:
    return errors.Conflict(f"{path} was changed by another command in the meantime", "repeat the command")


def _wrong_kind(path: str) -> errors.UsageError:
    return errors.UsageError(f"{path} is a folder of the store or lies below a document")
