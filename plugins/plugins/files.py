"""Bring a plugin's files here from a folder, a tar or git, and let nothing but plain files and folders through."""

import os
import stat
import tarfile
from collections.abc import Callable

from minipaas_lib import api

COUNT_LIMIT = 5000  # files and folders
SIZE_LIMIT = 64 << 20  # bytes of all files
STREAM_LIMIT = 128 << 20  # bytes that a compressed archive may unpack to, headers included
VENDOR_COUNT_LIMIT, VENDOR_SIZE_LIMIT = 40000, 512 << 20
DEPTH_LIMIT = 20
GIT_LIMIT = 600  # seconds
_LEFT_OUT = (".git", ".hg", ".svn", "__pycache__", ".pytest_cache", ".installed.json", ".disabled")
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ": "xz"}


def refuse(what: str) -> Exception:
    return api.errors.InvalidFile(what, "a plugin is plain files and folders below one folder")


class Target:
    """A new folder that is filled file by file, within limits. Files are for all to read, whatever the umask."""

    def __init__(self, folder: str, count: int = COUNT_LIMIT, size: int = SIZE_LIMIT) -> None:
        self.folder, self._count, self._size = folder, count, size
        self._limits = count, size
        self._seen: set[str] = set()
        os.mkdir(folder)
        os.chmod(folder, 0o755)

    def add_folder(self, name: str) -> None:
        path = self._place(name)
        if path:
            self._make(os.path.join(self.folder, path))

    def add_file(self, name: str, size: int, executable: bool, stream) -> None:
        path = self._place(name)
        if not path or path in self._seen:
            raise refuse(f"{api.names.safe(name)} is there twice, or has no name")
        self._seen.add(path)
        self._size -= size
        if self._size < 0:
            raise refuse(f"it holds more than {self._limits[1] >> 20} MiB")
        target = os.path.join(self.folder, path)
        self._make(os.path.dirname(target))
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise refuse(f"{api.names.safe(name)} cannot be written: {error.strerror}") from None
        with open(descriptor, "wb") as file:
            while size > 0 and (data := stream.read(min(size, 1 << 16))):
                file.write(data)
                size -= len(data)
        os.chmod(target, 0o755 if executable else 0o644)

    def _make(self, folder: str) -> None:
        missing = []
        while not os.path.isdir(folder):
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            try:
                os.mkdir(path)
            except OSError as error:
                raise refuse(f"{api.names.safe(path)} cannot be made: {error.strerror}") from None
            os.chmod(path, 0o755)

    def _place(self, name: str) -> str:
        """The path of a name below the folder. Raises errors.InvalidFile for one that leads elsewhere."""
        self._count -= 1
        if self._count < 0:
            raise refuse(f"it holds more than {self._limits[0]} files and folders")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts:
            raise refuse(f"{api.names.safe(name)} leads out of the folder")
        if not name.isprintable() or "\\" in name or any(len(part.encode()) > 200 for part in parts):
            raise refuse(f"{api.names.safe(name)} is not a valid file name")
        if len(parts) > DEPTH_LIMIT:
            raise refuse(f"{api.names.safe(name)} is nested too deeply")
        return "/".join(parts)


def left_out(name: str) -> bool:
    return any(part in _LEFT_OUT for part in name.split("/")) or name.endswith(".pyc")


def copy(source: str, target: Target, under: str = "") -> None:
    """Copy a folder. Raises errors.InvalidFile for anything but files and folders, errors.NotFound, OSError."""
    with os.scandir(os.path.join(source, under)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        name = os.path.join(under, entry.name)
        if left_out(name):
            continue
        about = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(about.st_mode):
            target.add_folder(name)
            copy(source, target, name)
        elif stat.S_ISREG(about.st_mode):
            descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                target.add_file(name, about.st_size, bool(about.st_mode & 0o100), file)
        else:
            kind = "a symbolic link" if stat.S_ISLNK(about.st_mode) else "not a plain file"
            raise refuse(f"{api.names.safe(name)} is {kind}")


class _Capped:
    """A stream that ends a bomb: no more than STREAM_LIMIT bytes come out of it."""

    def __init__(self, stream) -> None:
        self._stream, self._left = stream, STREAM_LIMIT

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, 1 << 20))
        self._left -= len(data)
        if self._left < 0:
            raise refuse(f"it unpacks to more than {STREAM_LIMIT >> 20} MiB")
        return data


def unpack(stream, target: Target) -> None:
    """Unpack a tar, compressed or not, from a seekable file.

    Where all is below one folder, that folder is left away.
    """
    begin = stream.read(6)
    stream.seek(0)
    kind = next((kind for magic, kind in _MAGIC.items() if begin.startswith(magic)), "")
    names = [name for name, _ in _members(_opened(stream, kind), None)]
    tops = {name.split("/")[0] for name in names}
    top = tops.pop() + "/" if len(tops) == 1 and "plugin.toml" not in names else ""
    stream.seek(0)
    for _ in _members(_opened(stream, kind), target, top):
        pass


def _opened(stream, kind: str):
    if kind:
        import bz2
        import gzip
        import lzma

        openers: dict[str, Callable] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
        stream = openers[kind](stream, "rb")
    return _Capped(stream)


def _members(stream, target: Target | None, top: str = ""):
    """Go through a tar; with a target, fill it. Yields (name, member)."""
    count = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                count += 1
                if count > COUNT_LIMIT:
                    raise refuse(f"it holds more than {COUNT_LIMIT} files and folders")
                name = member.name.removeprefix("./")
                if name in ("", "."):
                    continue
                if not (member.isreg() or member.isdir()) or member.issparse():
                    kind = "a link" if member.issym() or member.islnk() else "not a plain file"
                    raise refuse(f"{api.names.safe(name)} is {kind}")
                if member.size > SIZE_LIMIT:
                    raise refuse(f"it holds more than {SIZE_LIMIT >> 20} MiB")
                yield name, member
                inner = name.removeprefix(top)
                if target is None or not inner or name + "/" == top or left_out(inner):
                    continue
                if member.isdir():
                    target.add_folder(inner)
                else:
                    target.add_file(inner, member.size, bool(member.mode & 0o100), archive.extractfile(member))
    except api.errors.MinipaasError:
        raise
    except Exception as error:  # whatever the libraries make of damage: lzma, zlib and tarfile have no common error
        raise refuse(f"it is not a readable tar archive: {error}") from None


def clone(url: str, committish: str, scratch: str, target: Target) -> str:
    """Fetch a git repository, unpack one commit of it, and return that commit's id. Nothing of it is run."""
    repository = os.path.join(scratch, "repository")
    config = os.path.join(scratch, "gitconfig")
    with open(config, "w", encoding="utf-8") as file:  # in a file, as git's own programs read no other way
        file.write('[include]\n\tpath = ~/.gitconfig\n[safe]\n\tdirectory = *\n[protocol "ext"]\n\tallow = never\n')
    _git(config, "clone", "--quiet", "--bare", "--template=", "--", url, repository)
    said = _git(
        config,
        "-C",
        repository,
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{committish or 'HEAD'}^{{commit}}",
    )
    commit = said.strip()
    path = os.path.join(scratch, "commit.tar")
    _git(config, "-C", repository, "archive", "--format=tar", f"--output={path}", commit)
    with open(path, "rb") as file:
        unpack_git(file, target)
    return commit


def unpack_git(file, target: Target) -> None:
    for _ in _members(_Capped(file), target):
        pass


def _git(config: str, *words: str) -> str:
    """Run git with the settings in the file `config`; its stdout. Raises errors.NotFound, errors.Unavailable."""
    kept = ("PATH", "HOME", "SSH_AUTH_SOCK", "https_proxy", "http_proxy", "no_proxy", "LANG")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_GLOBAL": config,
    }
    environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    try:
        return api.kernel.programs.run("git", *words, timeout=GIT_LIMIT, environment=environment)
    except api.kernel.programs.Failed as error:
        failed = error
    verb = next(word for word in words if word in ("clone", "rev-parse", "archive"))
    if verb == "rev-parse":
        wanted = words[-1].removesuffix("^{commit}")
        raise api.errors.NotFound(
            f"the repository has no {api.names.safe(wanted)}", "--committish <branch, tag or commit>"
        )
    lines = failed.err.strip().splitlines() or [f"exit status {failed.status}"]
    line = next((line for line in lines if line.startswith("fatal: ")), lines[-1])
    raise api.errors.NotFound(
        f"git {verb} failed: {api.output.tame(line.removeprefix('fatal: '))}", "give a URL that git clone accepts"
    )


def digest(folder: str) -> str:
    """SHA-256 of all that a plugin's folder holds, vendor/ and what we write there aside."""
    import hashlib

    total = hashlib.sha256()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in _LEFT_OUT and os.path.join(place, name) != os.path.join(folder, "vendor")
        )
        for name in sorted(names):
            path = os.path.join(place, name)
            if left_out(name) or os.path.islink(path):
                continue
            total.update(f"{os.path.relpath(path, folder)}\0{os.stat(path).st_mode & 0o100}\0".encode())
            with open(path, "rb") as file:
                total.update(file.read())
    return total.hexdigest()
