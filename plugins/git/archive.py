"""Turn an untrusted archive into the entries of a commit, or refuse it with a sentence about what is wrong."""

from collections.abc import Iterable, Iterator

from minipaas_lib import api
from plugins.git.tar import FILE, FOLDER, HARD, LINK, Raw


def type_of(beginning: bytes) -> str:
    """The kind of an archive by its first bytes."""
    if beginning.startswith(b"\x1f\x8b"):
        return "tar.gz"
    return "zip" if beginning.startswith((b"PK\x03\x04", b"PK\x05\x06")) else "tar"


def walk(raws: Iterable[Raw], limits: "api.kernel.entries.Limits") -> Iterator["api.kernel.Entry"]:
    """The files of an archive as entries of a commit; a single top folder becomes the top of the commit.

    Everything that could write or read outside of it, or that is ambiguous, is refused, not left out.
    Raises errors.InvalidFile with the entry's name.
    """
    return _Walk(limits).entries(raws)


class _Walk:
    """The state of reading an archive."""

    def __init__(self, limits: "api.kernel.entries.Limits") -> None:
        self.limits, self.count, self.size = limits, 0, 0
        self.files: dict[str, str] = {}  # path -> mode
        self.folders: set[str] = set()

    def entries(self, raws: Iterable[Raw]) -> Iterator["api.kernel.Entry"]:
        for raw in raws:
            self._count(raw)
            path = self._path(raw)
            if raw.kind == FOLDER:
                if path:
                    self._add_folder(path, raw)
                continue
            self._add_file(path, raw)
            yield self._entry(path, raw)
        if not self.files:
            raise api.errors.InvalidFile("the archive contains no files", "put the app's files into it")
        if top := self._top():
            yield api.kernel.Entry("", "", 0, same_as=top)

    def _count(self, raw: Raw) -> None:
        self.count += 1
        self.size += raw.size if raw.kind == FILE else 0
        if self.count > self.limits.entries:
            raise refused(
                raw.name,
                f"is one too many: the archive contains more than {self.limits.entries:,} entries",
                "max-entries <number>",
            )
        if self.size > self.limits.size:
            raise refused(
                raw.name,
                f"is too much: the files of the archive are larger than {self.limits.size:,} bytes",
                "max-size <size>",
            )

    def _path(self, raw: Raw) -> str:
        """The entry's path without `./` before and `/` behind; empty for the top itself. Raises errors.InvalidFile."""
        path = raw.name
        while path.startswith("./"):
            path = path[2:].lstrip("/")
        path = path.rstrip("/") if raw.kind == FOLDER else path
        if raw.kind == FOLDER and path in ("", ".") and not raw.name.startswith("/"):
            return ""
        fault = api.kernel.entries.path_fault(path)
        if not fault and raw.kind not in (FILE, FOLDER, LINK, HARD):
            fault = f"is {raw.kind}"
        if not fault and raw.kind == FILE and raw.mode & 0o6000:
            fault = "has the setuid or setgid bit"
        if fault:
            raise refused(raw.name, fault)
        return path

    def _add_folder(self, path: str, raw: Raw) -> None:
        parts = path.split("/")
        for length in range(len(parts), 0, -1):
            folder = "/".join(parts[:length])
            if folder in self.files:
                raise refused(raw.name, "appears twice in the archive, as a folder and as a file")
            if folder in self.folders:
                return
            self.folders.add(folder)

    def _add_file(self, path: str, raw: Raw) -> None:
        if path in self.files or path in self.folders:
            raise refused(raw.name, "appears twice in the archive")
        if "/" in path:
            self._add_folder(path.rpartition("/")[0], raw)
        mode = "120000" if raw.kind == LINK else "100755" if raw.mode & 0o100 else "100644"
        if raw.kind == HARD:
            source = raw.target.removeprefix("./")
            mode = self.files.get(source, "")
            if mode in ("", "120000"):
                raise refused(raw.name, "is a hard link to something that is not an earlier file of the archive")
        self.files[path] = mode

    def _entry(self, path: str, raw: Raw) -> "api.kernel.Entry":
        if raw.kind == HARD:
            return api.kernel.Entry(path, self.files[path], 0, same_as=raw.target.removeprefix("./"))
        if raw.kind == LINK:
            target = raw.target.encode("utf-8", "surrogateescape")
            fault = (
                "is a link with a NUL in it" if b"\0" in target else api.kernel.entries.link_fault(path, len(target))
            )
            if fault:
                raise refused(path, fault)
            data = [target]
            return api.kernel.Entry(path, "120000", len(data[0]), lambda limit: data.pop() if data else b"")
        return api.kernel.Entry(path, self.files[path], raw.size, raw.read)

    def _top(self) -> str:
        """The one folder that everything is in; empty if there is none."""
        tops = {path.partition("/")[0] for path in (*self.files, *self.folders)}
        return next(iter(tops)) if len(tops) == 1 and not tops & self.files.keys() else ""


def refused(name: str, fault: str, setting: str = "") -> "api.errors.InvalidFile":
    hint = f"git:set --global {setting}" if setting else "take it out of the archive"
    return api.errors.InvalidFile(f"{api.names.safe(name)} in the archive {fault}; nothing was taken from it", hint)
