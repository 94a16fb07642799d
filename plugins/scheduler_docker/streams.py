"""From docker's log frames to lines. Pure."""

import re
from collections.abc import Iterable, Iterator

# RFC 3339 with nine digits, as docker prints it with timestamps=1; then one blank.
_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ")


def lines(frames: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """(time, text) of each line. Docker cuts lines of more than 16 KiB into frames that end without a newline,

    each with a time of its own; they are one line again here, with the time of its first part.
    """
    time, parts = "", []
    for frame in frames:
        stamp, text = _split(frame)
        time = time or stamp
        if not text.endswith(b"\n"):
            parts.append(text)
            continue
        yield time, _text(b"".join([*parts, text[:-1]]))
        time, parts = "", []
    if parts:
        yield time, _text(b"".join(parts))


def _split(frame: bytes) -> tuple[str, bytes]:
    found = _STAMP.match(frame)
    return (found[1].decode(), frame[found.end() :]) if found else ("", frame)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").removesuffix("\r")
