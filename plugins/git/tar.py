"""Read a tar archive as a stream, trusting nothing in it (pax(1), GNU tar's manual, "Basic Tar Format").

The standard library's reader keeps whole headers in memory, however large they say they are; this one does not.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from minipaas_lib import api

BLOCK = 512
HEADER_LIMIT = 64 * 1024  # bytes of long names and pax records in front of one entry
HEADERS_LIMIT = 16  # of them in front of one entry
FILE, FOLDER, LINK, HARD = "file", "folder", "link", "hard link"
_KINDS = {"0": FILE, "\0": FILE, "7": FILE, "1": HARD, "2": LINK, "5": FOLDER}
_READ = ("path", "linkpath", "size")  # the keys of pax records that count here
_OTHERS = {"3": "a character device", "4": "a block device", "6": "a named pipe", "S": "a sparse file"}


class Raw(NamedTuple):
    """An entry as it is in the archive."""

    name: str  # with surrogates for bytes that are no UTF-8
    kind: str  # FILE, FOLDER, LINK or HARD, else what it is in words
    mode: int  # permission bits
    size: int  # bytes
    target: str = ""  # of a link
    read: Callable[[int], bytes] | None = None  # read(limit) -> bytes


def broken(why: str) -> "api.errors.InvalidFile":
    return api.errors.InvalidFile(f"the archive cannot be read: {why}", "make it again, or check --archive-type")


class _Body:
    """The content of one entry in the stream."""

    def __init__(self, stream, size: int) -> None:
        self._stream, self._left, self._padding = stream, size, -size % BLOCK

    def read(self, limit: int) -> bytes:
        piece = self._stream.read(min(limit, self._left))
        self._left -= len(piece)
        if self._left and not piece:
            raise broken("it ends in the middle of a file")
        return piece

    def skip(self) -> None:
        self._left, self._padding = self._left + self._padding, 0
        while self._left:
            self.read(1 << 16)


def entries(stream) -> Iterator[Raw]:
    """The entries of the archive that `stream.read(limit)` gives. Raises errors.InvalidFile if it is not one."""
    said: dict[str, str] = {}  # what headers before an entry say of it
    seen, count, total = False, 0, 0
    while (header := _block(stream, seen)) is not None:
        seen = True
        kind, size = header[156:157].decode("latin-1"), _number(header[124:136])
        if kind in "LKxg" and kind:
            count, total = count + 1, total + size
            if count > HEADERS_LIMIT or total > HEADER_LIMIT:
                raise broken(
                    f"an entry in it has more than {HEADERS_LIMIT} headers, or more than {HEADER_LIMIT:,} bytes of them"
                )
            body = _Body(stream, size)
            said |= _about_next(kind, _whole(body, size))
            body.skip()
            continue
        raw = _entry(header, kind, size, said)
        body = _Body(stream, raw.size if raw.kind not in (FOLDER, LINK, HARD) else 0)
        yield raw._replace(read=body.read)
        body.skip()
        said, count, total = {}, 0, 0


def _block(stream, seen: bool) -> bytes | None:
    """The next header, or None at the end of the archive."""
    header = b""
    while len(header) < BLOCK and (piece := stream.read(BLOCK - len(header))):
        header += piece
    if not header.strip(b"\0"):
        if len(header) in (0, BLOCK) and (seen or header):
            return None
        raise broken("it is empty" if not header else "it is cut off")
    if len(header) < BLOCK:
        raise broken("it is cut off" if seen else "it is not a tar archive")
    plain = header[:148] + b" " * 8 + header[156:]
    if _number(header[148:156]) not in (sum(plain), sum(struct.unpack("512b", plain))):
        raise broken("a header in it is damaged" if seen else "it is not a tar archive")
    return header


def _number(field: bytes) -> int:
    """A number of a header: octal digits, or GNU's base 256."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0")[0].strip()
    if any(digit not in b"01234567" for digit in text):
        raise broken("a header in it lacks a number")
    return int(text or b"0", 8)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("utf-8", "surrogateescape")


def _whole(body: _Body, size: int) -> bytes:
    content = b""
    while len(content) < size:
        content += body.read(size - len(content))
    return content


def _about_next(kind: str, content: bytes) -> dict[str, str]:
    """What a header says of the entry after it. A pax header for all entries (`g`) says nothing that counts here."""
    if kind in "LK":
        return {"path" if kind == "L" else "linkpath": _text(content)}
    found: dict[str, str] = {}
    position = 0
    while position < len(content):
        length, space, _ = content[position : position + 20].partition(b" ")
        if not (space and length.isdigit() and len(length) + 3 <= int(length) <= len(content) - position):
            raise broken("a pax header in it is damaged")
        record = content[position + len(length) + 1 : position + int(length)]
        position += int(length)
        key, equals, value = record.decode("utf-8", "surrogateescape").partition("=")
        if not equals or not value.endswith("\n"):
            raise broken("a pax header in it is damaged")
        if key in _READ or key.startswith("GNU.sparse"):
            found[key] = value[:-1]
    return found if kind == "x" else {}


def _entry(header: bytes, kind: str, size: int, said: dict[str, str]) -> Raw:
    """The entry of a header, with what the headers before it say."""
    name, prefix = _text(header[:100]), header[257:263] == b"ustar\0" and _text(header[345:500])
    name = said.get("path", f"{prefix}/{name}" if prefix else name)
    if "size" in said:
        if not (said["size"].isascii() and said["size"].isdigit() and len(said["size"]) < 20):
            raise broken("a pax header in it is damaged")
        size = int(said["size"])
    meant = _KINDS.get(kind) or _OTHERS.get(kind, "of an unknown kind")
    if any(key.startswith("GNU.sparse") for key in said):
        meant = _OTHERS["S"]
    if meant == FILE and name.endswith("/"):
        meant = FOLDER
    return Raw(name, meant, _number(header[100:108]) & 0o7777, size, said.get("linkpath", _text(header[157:257])))
