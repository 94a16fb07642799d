"""A Git LFS server over ssh: the protocol of git-lfs-transfer (git-lfs, docs/proposals/ssh_adapter.md, version 1).

A client sends a command, its arguments and data in pkt-lines (gitprotocol-common(5)), and gets an HTTP status with
arguments, and data or lines of text. An object is renamed into place once it is complete and its SHA-256 matches.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from typing import BinaryIO

from minipaas_lib import folders
from minipaas_lib.git import lfs

UPLOAD, DOWNLOAD = "upload", "download"
FLUSH, DELIMITER, DATA, END = b"0000", b"0001", b"data", b""  # kinds of packets; the first two as they are sent
STORED = 5  # times the limit of one object: the limit for all objects of an app
_DATA = 32768  # bytes in a pkt-line that is sent
_LINES = 10_000  # of one request
_LINE = 1000  # bytes of one of them
_ROOM = 500 << 20  # bytes of the disk that stay free for others
_STALE = 3600  # seconds after which a partial object is abandoned


class Broken(Exception):
    """The client does not speak the protocol, or has gone."""


class Answer(Exception):
    """An error status with a line of text for people."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Session:
    """One connection. repository: str, its folder; limit: int, bytes of the largest object."""

    def __init__(self, repository: str, operation: str, limit: int, reader: BinaryIO, writer: BinaryIO) -> None:
        self.repository, self.operation, self.limit = repository, operation, limit
        self.reader, self.writer = reader, writer
        self.commands = {"version": self.version, "batch": self.batch, "quit": self.quit, "list-lock": self.no_locks}
        if operation == UPLOAD:
            self.commands |= {"put-object": self.put_object, "verify-object": self.verify_object}
        elif operation == DOWNLOAD:
            self.commands |= {"get-object": self.get_object}
        self.done = False
        self.drained = True  # whether what follows a request's delimiter has been read

    def run(self) -> None:
        """Serve requests until the client quits or disconnects. Raises Broken."""
        self.send("version=1")
        self.end()
        while not self.done:
            kind, content = self.read()
            if kind == END:
                return
            if kind != DATA:
                continue
            command, _, words = _text(content).partition(" ")
            arguments, at_end = self.lines(FLUSH, DELIMITER)
            self.drained = at_end == FLUSH
            try:
                if command not in self.commands:
                    raise Answer(501, f"{command[:40]!r} is not done here")
                self.commands[command](words, _table(arguments), at_end == FLUSH)
            except Answer as answer:
                if at_end == DELIMITER and not self.drained:
                    self.drain()
                self.status(answer.status, lines=[answer.text])

    # commands: the words after the command, its arguments, and whether the request is complete (no data follows)

    def version(self, words: str, arguments: dict, is_complete: bool) -> None:
        if words != "1":
            raise Answer(400, "only version 1 is spoken here")
        self.status(200)

    def batch(self, words: str, arguments: dict, is_complete: bool) -> None:
        """Say which of the objects the client has to upload, or can download."""
        if arguments.get("hash-algo", "sha256") != "sha256":
            raise Answer(409, "objects have SHA-256 names here")
        requested = [] if is_complete else self.lines(FLUSH)[0]
        self.drained = True
        answers = []
        for line in requested:
            oid, size = _oid_and_size(line)
            has = os.path.isfile(lfs.object_path(self.repository, oid))
            is_needed = has if self.operation == DOWNLOAD else not has
            answers.append(f"{oid} {size} {self.operation if is_needed else 'noop'}")
        self.status(200, lines=answers, delimiter=True)

    def put_object(self, words: str, arguments: dict, is_complete: bool) -> None:
        oid, size = _oid_and_size(f"{words} {arguments.get('size', '')}")
        if is_complete:
            raise Answer(400, "there is no content")
        if size > self.limit:
            raise Answer(
                413,
                (
                    f"an object of {size:,} bytes is larger than {self.limit:,}, the most here (git:set --global "
                    "max-size <size>)"
                ),
            )
        path = lfs.object_path(self.repository, oid)
        if not os.path.isfile(path):
            self._check_room(size)
            self._receive(path, oid, size)
        else:
            self.drain()
        self.status(200)

    def verify_object(self, words: str, arguments: dict, is_complete: bool) -> None:
        oid, size = _oid_and_size(words if " " in words else f"{words} {arguments.get('size', '')}")
        path = lfs.object_path(self.repository, oid)
        if not os.path.isfile(path) or os.stat(path).st_size != size:
            raise Answer(404, "the object is not here")
        self.status(200)

    def get_object(self, words: str, arguments: dict, is_complete: bool) -> None:
        oid, _ = _oid_and_size(f"{words} 0")
        try:
            file = open(lfs.object_path(self.repository, oid), "rb")
        except OSError:
            raise Answer(404, "the object is not here") from None
        with file:
            self.send("status 200")
            self.send(f"size={os.fstat(file.fileno()).st_size}")
            self.writer.write(DELIMITER)
            while piece := file.read(_DATA):
                self.packet(piece)
            self.end()

    def no_locks(self, words: str, arguments: dict, is_complete: bool) -> None:
        """List no file locks: they are not supported."""
        self.status(200, delimiter=True)

    def quit(self, words: str, arguments: dict, is_complete: bool) -> None:
        self.status(200)
        self.done = True

    # objects

    def _check_room(self, size: int) -> None:
        disk = os.statvfs(self.repository)
        if disk.f_bavail * disk.f_frsize < size + _ROOM:
            raise Answer(507, "there is no room on the host's disk")
        total = 0
        for place, _, files in folders.walk(os.path.join(self.repository, lfs.FOLDER)):
            for name in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(place, name)).st_size
        if total + size > STORED * self.limit:
            raise Answer(
                507,
                (
                    f"the objects of the app would have more than {STORED * self.limit:,} bytes (git:set --global "
                    "max-size <size>)"
                ),
            )

    def _receive(self, path: str, oid: str, size: int) -> None:
        """Write an incoming object, check it, and rename it into place: a kill leaves only a partial file."""
        try:
            parts = self._folder("parts")
            _remove_stale(parts)
            part = os.path.join(parts, f"{os.getpid()}-{os.urandom(4).hex()}")
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX)
                    if size:
                        os.posix_fallocate(file.fileno(), 0, size)  # so that parallel uploads count it
                    self._check_room(0)
                    digest, received = hashlib.sha256(), 0
                    for piece in self.data():
                        received += len(piece)
                        if received > size:
                            raise Answer(400, "the content is longer than was said")
                        digest.update(piece)
                        file.write(piece)
                    if (digest.hexdigest(), received) != (oid, size):
                        raise Answer(400, "the content is not that of the object's name")
                    file.flush()
                    os.fsync(file.fileno())
                    self._folder("objects", oid[:2], oid[2:4])
                    os.rename(part, path)
                finally:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(part)
        except OSError as error:
            raise Answer(507, f"the object cannot be written: {error.strerror}") from None

    def _folder(self, *names: str) -> str:
        """A folder for objects, created if missing.

        Raises OSError, also if the repository itself has gone: that must not be created again.
        """
        place = self.repository
        for name in (lfs.FOLDER, *names):
            place = os.path.join(place, name)
            with contextlib.suppress(FileExistsError):
                os.mkdir(place, 0o700)
        return place

    # pkt-lines

    def read(self) -> tuple[bytes, bytes]:
        """Read one packet: its kind and content. Raises Broken."""
        head = self.reader.read(4)
        if head in (END, FLUSH, DELIMITER):
            return head, b""
        if not re.fullmatch(b"[0-9a-fA-F]{4}", head) or int(head, 16) < 5:
            raise Broken("this is no pkt-line")
        content = self.reader.read(int(head, 16) - 4)
        if len(content) != int(head, 16) - 4:
            raise Broken("it ends in the middle of a pkt-line")
        return DATA, content

    def lines(self, *ends: bytes) -> tuple[list[str], bytes]:
        """Read the lines up to one of `ends`; return them and the end. Raises Broken."""
        result: list[str] = []
        while True:
            kind, content = self.read()
            if kind in ends:
                return result, kind
            if kind != DATA:
                raise Broken("it ends in the middle of a request")
            if len(result) == _LINES or len(content) > _LINE:
                raise Broken(f"a request has more than {_LINES} lines, or one of more than {_LINE} bytes")
            result.append(_text(content))

    def data(self) -> Iterator[bytes]:
        """Yield the pieces up to the end of the request. Raises Broken."""
        while True:
            kind, content = self.read()
            if kind == FLUSH:
                self.drained = True
                return
            if kind != DATA:
                raise Broken("it ends in the middle of an object")
            yield content

    def drain(self) -> None:
        for _ in self.data():
            pass

    def status(self, number: int, lines: list[str] | None = None, delimiter: bool = False) -> None:
        self.send(f"status {number}")
        if lines or delimiter:
            self.writer.write(DELIMITER)
        for line in lines or []:
            self.send(line)
        self.end()

    def send(self, line: str) -> None:
        self.packet(line.encode() + b"\n")

    def packet(self, content: bytes) -> None:
        self.writer.write(b"%04x" % (len(content) + 4) + content)

    def end(self) -> None:
        self.writer.write(FLUSH)
        self.writer.flush()


def _text(packet: bytes) -> str:
    return packet.decode("utf-8", "replace").removesuffix("\n")


def _table(arguments: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (argument.partition("=") for argument in arguments)}


def _oid_and_size(text: str) -> tuple[str, int]:
    """The first two words, validated, as they come from a client and one becomes a path. Raises Answer."""
    oid, size, *_ = [*text.split(" "), "", ""]
    if not re.fullmatch("[0-9a-f]{64}", oid) or not re.fullmatch("[0-9]{1,15}", size):
        raise Answer(400, "an object is named by the 64 hex digits of its SHA-256, and a size")
    return oid, int(size)


def _remove_stale(parts: str) -> None:
    """Remove what killed connections left: old files that nobody holds a lock on."""
    for name in os.listdir(parts):
        path = os.path.join(parts, name)
        with contextlib.suppress(OSError):
            if os.stat(path).st_mtime > time.time() - _STALE:
                continue
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(path)
