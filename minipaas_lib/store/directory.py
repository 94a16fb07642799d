"""The store of one host: a folder of files, changed so that no reader, kill or power cut ever sees half a change.

Everything new is made below `.scratch` in the same file system and renamed into place, a document together with the
folders it needs; what is removed is first renamed into it. Writers take turns, so each finds there at most what a
killed one has left, and empties it. Readers take no lock.
"""

import contextlib
import errno
import os
import time

try:
    from _blake2 import blake2b  # hashlib is the same code, after 6 ms of loading OpenSSL
except ImportError:
    from hashlib import blake2b

from minipaas_lib import errors
from minipaas_lib.store import file_lock, files, shared
from minipaas_lib.store.contract import ABSENT, EXPIRING, Document, LockHolder, Tree

_SCRATCH = ".scratch"
_WRITERS = ".writers.lock"
_WRITE_LIMIT = 30.0  # seconds to wait for other writers; one write takes milliseconds
_WATCH_POLL = 0.2  # seconds
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class DirectoryStore:
    """Implements contract.Store below `root_folder`, with locks in `locks_folder`. Neither needs to exist yet.

    A revision is a hash of the content, so a document that gets its old content back has its old revision again. An
    expiring document expires at its file's time of modification and is ignored from then on.
    """

    shared = False

    def __init__(self, root_folder: str, locks_folder: str) -> None:
        self.root_folder = os.path.abspath(root_folder)
        self.locks_folder = os.path.abspath(locks_folder)

    def read(self, path: str) -> Document:
        """The document at `path`. Raises errors.NotFound, errors.BadConfig, errors.Unavailable."""
        data = self._bytes(path)
        return Document(shared.decode(path, data, self.location(path)), _revision(data))

    def exists(self, path: str) -> bool:
        """Whether there is a document at `path`."""
        with self._refusals("read", path):
            return os.path.isfile(self.location(path)) and self._lives(path)

    def children(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, sorted, from a single scan of the folder."""
        if shared.expires(prefix):
            return shared.children(self.list(prefix), prefix)
        with (
            self._refusals("list", prefix),
            contextlib.suppress(*_MISSING),
            os.scandir(self.location(prefix)) as entries,
        ):
            names = sorted(entry.name for entry in entries if shared.is_segment(entry.name))
            return [name for name in names if prefix or not shared.expires(name) or self.list(name)]
        return []

    def list(self, prefix: str = "") -> list[str]:
        """The full paths of all documents below `prefix`, sorted."""
        with self._refusals("list", prefix):
            below = f"{prefix}/" if prefix else ""
            paths = (below + path for path, _ in _files(self.location(prefix)))
            return sorted(path for path in paths if self._lives(path))

    def read_all(self, prefix: str = "") -> Tree:
        """All documents below `prefix`, and the token to watch from. Raises errors.BadConfig, errors.Unavailable."""
        token, documents = self.watch(prefix) or "", {}
        for path in self.list(prefix):
            with contextlib.suppress(errors.NotFound):
                documents[path] = self.read(path)
        return Tree(documents, token)

    def location(self, path: str) -> str:
        """The file (or folder) of `path`, for reading by hand."""
        return os.path.join(self.root_folder, shared.check_prefix(path))

    def write(self, path: str, text: str, if_revision: str | None = None, ttl: float | None = None) -> str:
        """Write durably and return the new revision. Raises errors.Conflict, errors.Unavailable."""
        shared.check_expiry(path, ttl)
        data = shared.encode(shared.check_path(path), text)
        with self._writing("write", path):
            if os.path.isdir(self.location(path)):
                raise errors.UsageError(f"{path} is a folder of the store, not a document")
            self._require(path, if_revision)
            self._put(path, data, None if ttl is None else time.time() + ttl)
        return _revision(data)

    def renew(self, path: str, ttl: float) -> str:
        """Let a document live on for `ttl` seconds. Raises errors.NotFound, errors.Unavailable."""
        shared.check_expiry(path, ttl)
        with self._writing("renew", path):
            revision = _revision(self._bytes(path))
            os.utime(self.location(path), (time.time() + ttl,) * 2)
        return revision

    def delete(self, path: str, if_revision: str | None = None) -> None:
        """Remove a document, and the folders that it leaves empty. Raises errors.NotFound, errors.Conflict."""
        shared.check_path(path)
        with self._writing("delete", path):
            if not self.exists(path):
                raise errors.NotFound(f"there is no {path} in the store")
            self._require(path, if_revision)
            self._remove(path)

    def delete_tree(self, prefix: str) -> None:
        """Remove every document below `prefix` at once. Raises errors.UsageError for the empty prefix."""
        shared.check_path(prefix)
        with self._writing("delete", prefix):
            if os.path.isdir(self.location(prefix)):
                self._remove(prefix)

    def export(self, folder: str) -> None:
        """Copy the whole tree into the new folder `folder`. Raises errors.Unavailable, with nothing left there."""
        with self._writing("copy", "the store"):
            files.make_whole(folder, lambda part: _copy(self.root_folder, part))

    def watch(self, prefix: str, since: str | None = None, timeout: float = 60.0) -> str | None:
        """Wait until `prefix`, or something below it, differs from the token `since`; see contract.Store.

        It polls names, times and sizes five times a second, so changes made by hand are seen too.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._refusals("watch", prefix):
                token = self._token(prefix)
            if token != since:
                return token
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(_WATCH_POLL, left))

    def lock(self, name: str, holder: LockHolder, ttl: float = 60.0, wait: float = 0.0) -> file_lock.FileLock:
        """Take the lock `name`. `ttl` is ignored: the kernel frees what a dead process held."""
        with self._refusals("lock", name):
            return file_lock.take(self._lock_file(name), name, holder, wait)

    def lock_holder(self, name: str) -> LockHolder | None:
        """Who holds the lock now, or None."""
        with self._refusals("look at the lock", name):
            return file_lock.holder_of(self._lock_file(name))

    def _lock_file(self, name: str) -> str:
        return os.path.join(self.locks_folder, shared.check_path(name).replace("/", "%") + ".lock")

    def _bytes(self, path: str) -> bytes:
        location = os.path.join(self.root_folder, shared.check_path(path))
        with self._refusals("read", path):
            try:
                data = files.contents(location)
                if self._lives(path):
                    return data
                raise FileNotFoundError
            except _MISSING:
                raise errors.NotFound(f"there is no {path} in the store") from None

    def _lives(self, path: str) -> bool:
        """Whether an existing document has not expired."""
        if not shared.expires(path):
            return True
        with contextlib.suppress(*_MISSING):
            return os.stat(self.location(path)).st_mtime > time.time()
        return False

    def _token(self, prefix: str) -> str:
        """A hash of the stat data of the document `prefix`, or of all documents below that folder (see _line)."""
        below = f"{prefix}/" if prefix else ""
        lines = []
        with contextlib.suppress(*_MISSING):
            if not os.path.isdir(self.location(prefix)):
                lines.append(self._line(prefix, os.stat(self.location(prefix))))
        for path, entry in _files(self.location(prefix)):
            with contextlib.suppress(FileNotFoundError, errors.NotFound):
                lines.append(self._line(below + path, entry.stat()))
        return _revision("\n".join(sorted(lines)).encode())

    def _line(self, path: str, stat: os.stat_result) -> str:
        if shared.expires(path):
            return f"{path} {_revision(self._bytes(path))}"
        return f"{path} {stat.st_ino} {stat.st_mtime_ns} {stat.st_size}"

    def _require(self, path: str, if_revision: str | None) -> None:
        """Raise errors.Conflict unless the document has that revision. Only for the one writer."""
        if if_revision is None:
            return
        try:
            present = _revision(self._bytes(path))
        except errors.NotFound:
            present = ABSENT
        if present != if_revision:
            raise errors.Conflict(f"{path} was changed by another command in the meantime", "repeat the command")

    @contextlib.contextmanager
    def _writing(self, verb: str, path: str):
        """Be the only writer, with an empty scratch folder."""
        with self._refusals(verb, path), file_lock.briefly(os.path.join(self.locks_folder, _WRITERS), _WRITE_LIMIT):
            scratch = os.path.join(self.root_folder, _SCRATCH)
            os.makedirs(self.root_folder, mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(scratch, 0o700)
            files.empty(scratch)
            yield

    def _put(self, path: str, data: bytes, until: float | None) -> None:
        """Rename the document into place or, if folders are missing, the topmost of them with its content."""
        from minipaas_lib.toolkit import durable_file  # here: commands that only read never need it

        present, missing = "", path.split("/")
        while len(missing) > 1 and os.path.isdir(os.path.join(self.root_folder, present, missing[0])):
            present = os.path.join(present, missing.pop(0))
        if len(missing) > 1 and os.path.lexists(os.path.join(self.root_folder, present, missing[0])):
            raise errors.UsageError(f"{os.path.join(present, missing[0])} is a document of the store, not a folder")
        scratch = os.path.join(self.root_folder, _SCRATCH)
        folder = os.path.join(scratch, *missing[:-1])
        if len(missing) > 1:
            for depth in range(1, len(missing)):
                os.mkdir(os.path.join(scratch, *missing[:depth]), 0o700)
        files.write(os.path.join(folder, missing[-1]), data, until=until)
        for depth in range(len(missing) - 1, 0, -1):
            durable_file.sync_folder(os.path.join(scratch, *missing[:depth]))
        os.replace(os.path.join(scratch, missing[0]), os.path.join(self.root_folder, present, missing[0]))
        durable_file.sync_folder(os.path.join(self.root_folder, present))

    def _remove(self, path: str) -> None:
        """Rename `path`, or the topmost folder that holds nothing else, into scratch, and empty scratch."""
        from minipaas_lib.toolkit import durable_file

        parent = os.path.dirname(path)
        while parent and self.children(parent) == [os.path.basename(path)]:
            path, parent = parent, os.path.dirname(parent)
        scratch = os.path.join(self.root_folder, _SCRATCH)
        os.rename(os.path.join(self.root_folder, path), os.path.join(scratch, "removed"))
        durable_file.sync_folder(os.path.join(self.root_folder, parent))
        with contextlib.suppress(OSError):  # it is gone for every reader; the next writer tries again
            files.empty(scratch)

    @contextlib.contextmanager
    def _refusals(self, verb: str, path: str):
        """Turn an OSError into errors.Unavailable that says what the disk refused."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"cannot {verb} {path or 'the store'}: {reason[:1].lower()}{reason[1:]}"
            raise errors.Unavailable(message, self._advice(error)) from error

    def _advice(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"make room on its disk, then repeat the command: df -h {self.root_folder}"
        if error.errno in (errno.EACCES, errno.EPERM):
            return f"all of {self.root_folder} and {self.locks_folder} must belong to the user that minipaas runs as"
        if error.errno == errno.EROFS:
            return f"the disk of {self.root_folder} is mounted read-only; find out why, as root: dmesg"
        return "repeat the command; if that does not help: doctor"


def _revision(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _copy(source: str, target: str) -> None:
    """Copy a folder without its signs of life, readable by its owner only, without waiting for the disk."""
    os.mkdir(target, 0o700)
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_dir() and entry.name not in (_SCRATCH, *EXPIRING):
                _copy(entry.path, os.path.join(target, entry.name))
            elif entry.is_file():
                files.write(os.path.join(target, entry.name), files.contents(entry.path), durably=False)


def _files(folder: str, below: str = ""):
    """Yield (path below `folder`, os.DirEntry) of every document. A folder that vanishes in the meantime has none."""
    with contextlib.suppress(*_MISSING), os.scandir(folder) as entries:
        for entry in entries:
            if not shared.is_segment(entry.name):
                continue
            if entry.is_dir():
                yield from _files(entry.path, f"{below}{entry.name}/")
            else:
                yield below + entry.name, entry
