"""Print a file that a build writes, to its end or for as long as the build goes on."""

import os
import time

from minipaas_lib import api
from plugins.builds import ledger

_LOOK_AGAIN = 0.3  # seconds
_PIECE = 1 << 16  # bytes


def show(app: str, number: int, follow: bool) -> None:
    """Print the output of a build, and with `follow` what comes until it ends. Raises FileNotFoundError."""
    with open(ledger.output_path(app, number), "rb") as file:
        if follow:
            api.end_with_key()
        rest = b""
        while True:
            goes_on = follow and is_going_on(app, number)  # asked before reading: nothing said meanwhile is missed
            rest = _print_lines(file, rest)
            if not goes_on:
                break
            time.sleep(_LOOK_AGAIN)
        if rest:
            _print(rest)


def is_going_on(app: str, number: int) -> bool:
    """Whether the release is still being built or deployed."""
    now = api.underway(app)
    return now is not None and now.number == number


def _print_lines(file, rest: bytes) -> bytes:
    """Print the whole lines that there are; the beginning of one that is not."""
    while piece := os.read(file.fileno(), _PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            _print(line)
    return rest


def _print(line: bytes) -> None:
    api.output.data(line.decode("utf-8", "replace"))
