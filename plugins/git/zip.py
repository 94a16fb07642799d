"""Read a zip archive, trusting nothing in it (PKWARE's APPNOTE.TXT)."""

import contextlib
import stat
from collections.abc import Iterator

from minipaas_lib import api
from plugins.git.tar import FILE, FOLDER, LINK, Raw, broken

_PER_ENTRY = 400  # bytes of the list of contents for one entry, on average and at most
_UNIX = 3  # who made an entry (4.4.2.2)
_OTHERS = {
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


class _Careful:
    """A file that gives no list of contents larger than the limits: zipfile reads it whole, and an object for each."""

    def __init__(self, file, entries: int) -> None:
        self._file, self._entries = file, entries
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, lambda: None

    def read(self, size: int = -1) -> bytes:
        most = self._entries * _PER_ENTRY + (1 << 17)
        if size > most:
            raise broken(f"it declares more than {self._entries:,} entries")
        data = self._file.read(most if size < 0 else size)
        if data.count(b"PK\x01\x02") > self._entries + 1:
            raise broken(f"it holds more than {self._entries:,} entries")
        return data


def entries(file, limit: int) -> Iterator[Raw]:
    """The entries of the archive in `file`, which can seek; `limit` is how many there may be.

    Raises errors.InvalidFile if it is not a zip archive.
    """
    import zipfile

    with _ours(), zipfile.ZipFile(_Careful(file, limit)) as archive:
        for info in archive.infolist():
            yield from _entry(archive, info)


@contextlib.contextmanager
def _ours():
    """Whatever the library makes of damage (a wrong CRC, broken deflate, a date that is none) is an error of ours.

    Reads need it too: who reads an entry does so outside of `entries`.
    """
    try:
        yield
    except (api.errors.MinipaasError, MemoryError):
        raise
    except Exception as error:
        raise broken(api.output.tame(str(error))[:200] or "it is damaged") from None


def _entry(archive, info) -> Iterator[Raw]:
    import zipfile

    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind = _OTHERS.get(stat.S_IFMT(mode), FILE)
    if stat.S_IFMT(mode) == stat.S_IFLNK:
        kind = LINK
    if info.flag_bits & 1:
        kind = "encrypted"
    elif kind != LINK and (info.orig_filename.endswith("/") or stat.S_IFMT(mode) == stat.S_IFDIR):
        kind = FOLDER
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others want memory at their pleasure
        kind = "compressed in a way other than deflate"
    # zipfile cuts a name at a NUL, and reads one that does not say to be UTF-8 as the PC of 1981 did
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        name = name.encode("cp437", "replace").decode("utf-8", "surrogateescape")
    if "\\" in name and info.create_system != _UNIX:
        kind = "named with backslashes"
    if kind not in (FILE, LINK):
        yield Raw(name, kind, stat.S_IMODE(mode), 0)
        return
    with archive.open(info) as content:
        target = ""
        if kind == LINK:
            target = content.read(api.kernel.entries.LINK_LIMIT + 1).decode("utf-8", "surrogateescape")
        yield Raw(name, kind, stat.S_IMODE(mode), info.file_size, target, lambda limit: _read(content, limit))


def _read(content, limit: int) -> bytes:
    with _ours():
        return content.read(limit)
