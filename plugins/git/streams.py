"""Bytes from a client or a server that may send too many, too slowly, or none."""

import contextlib
import os
import select
import time

from minipaas_lib import api

IDLE_LIMIT = 60.0  # seconds without a byte
TIME_LIMIT = 30 * 60.0  # seconds for all of it


class Bounded:
    """Reads from `source` at most `limit` bytes; more are an error, not an end.

    source: a function limit -> bytes; what: str, for sentences, such as "the archive".
    """

    def __init__(self, source, limit: int, what: str) -> None:
        self._source, self._left, self._limit, self._what = source, limit, limit, what
        self._deadline = time.monotonic() + TIME_LIMIT
        self._ahead = b""

    def peek(self, size: int) -> bytes:
        """The first bytes; they are read again later."""
        while len(self._ahead) < size and (piece := self._fetch(size - len(self._ahead))):
            self._ahead += piece
        return self._ahead

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; empty at the end. Raises errors.InvalidFile beyond the limit, errors.Unavailable."""
        if self._ahead:
            size = len(self._ahead) if size < 0 else size
            piece, self._ahead = self._ahead[:size], self._ahead[size:]
            return piece
        return self._fetch(1 << 16 if size < 0 else size)

    def _fetch(self, size: int) -> bytes:
        if size <= 0:
            return b""
        if time.monotonic() > self._deadline:
            raise api.errors.Unavailable(
                f"{self._what} took more than {TIME_LIMIT / 60:.0f} minutes to arrive", "try again"
            )
        piece = self._source(min(size, 1 << 20, self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise api.errors.InvalidFile(
                f"{self._what} is larger than {self._limit:,} bytes", "to allow more: git:set --global max-size <size>"
            )
        return piece


def stdin(what: str):
    """A function limit -> bytes that reads our stdin, whose client may stop in the middle."""
    import io
    import sys

    try:
        number = sys.stdin.buffer.fileno()
    except (io.UnsupportedOperation, AttributeError):
        return sys.stdin.buffer.read

    def read(limit: int) -> bytes:
        if not select.select([number], [], [], IDLE_LIMIT)[0]:
            raise api.errors.Unavailable(
                f"{what} sent nothing for {IDLE_LIMIT:.0f} seconds", "give - and send it on stdin"
            )
        return os.read(number, limit)

    return read


@contextlib.contextmanager
def spool(stream):
    """A nameless file with all that the stream gives, at its beginning: gone with us, whatever ends us."""
    import tempfile

    os.makedirs(api.paths.work(), mode=0o700, exist_ok=True)
    with tempfile.TemporaryFile(dir=api.paths.work()) as file:
        try:
            while piece := stream.read(1 << 16):
                file.write(piece)
            file.seek(0)
        except OSError as error:
            raise api.errors.Unavailable(
                f"the archive cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
            ) from None
        yield file


def unzipped(stream, limit: int, what: str) -> Bounded:
    """What a gzipped stream holds; what makes more than `limit` bytes of itself is refused."""
    import gzip
    import zlib

    file = gzip.GzipFile(fileobj=stream, mode="rb")

    def read(size: int) -> bytes:
        try:
            return file.read(size)
        except (EOFError, OSError, zlib.error):
            raise api.errors.InvalidFile(
                f"{what} cannot be unzipped: it is damaged or cut off", "make it again"
            ) from None

    return Bounded(read, limit, f"{what} unzipped")
