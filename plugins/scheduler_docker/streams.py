"""From docker's log frames to lines. Pure."""

import re
from collections.abc import Iterable, Iterator

LINE_LIMIT = 1024 * 1024  # bytes of one line that are kept; a program may never end its line

# RFC 3339 with nine digits, as docker prints it with timestamps=1; then one blank.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ")


def lines(frames: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """(time, text) of each line. Docker cuts lines of more than 16 KiB into frames that end without a newline,

    each with a time of its own; they are one line again here, with the time of its first part. One of more than a
    mebibyte says where it was cut.
    """
    time, line, size = "", b"", 0
    for frame in frames:
        stamp, text = _split(frame)
        time = time or stamp
        line += text[: max(0, LINE_LIMIT + 1 - len(line))]
        size += len(text)
        if text.endswith(b"\n"):
            yield time, _whole(line, size)
            time, line, size = "", b"", 0
    if line:
        yield time, _whole(line, size)


def _whole(line: bytes, size: int) -> str:
    """The text of a line of `size` bytes, of which at least the first LINE_LIMIT are here."""
    if size <= LINE_LIMIT + 1:
        return _text(line.removesuffix(b"\n"))
    return f"{_text(line[:LINE_LIMIT])} [cut here: the line has {size:,} bytes]"


def _split(frame: bytes) -> tuple[str, bytes]:
    found = _STAMP.match(frame)
    return (found[1].decode(), frame[found.end() :]) if found else ("", frame)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").removesuffix("\r")
