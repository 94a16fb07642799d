"""Print a file that a build writes, to its end or for as long as the build runs."""

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
            api.kernel.end_with_key()
        rest, maker = b"", None
        while True:
            maker = (
                who_makes(app, number, maker) if follow else None
            )  # asked before reading: nothing said meanwhile is missed
            rest = _print_lines(file, rest)
            if maker is None:
                break
            time.sleep(_LOOK_AGAIN)
        if rest:
            _print(rest)


def who_makes(app: str, number: int, maker=None):
    """Who builds or deploys the release (a LockHolder), or None.

    The `maker` so far is it for as long as the app is locked by it: the last words come when all is put right.
    """
    now = api.kernel.underway(app)
    if now is not None and now.number == number:
        return now.holder
    return maker if maker and api.kernel.lock_holder(app) == maker else None


def _print_lines(file, rest: bytes) -> bytes:
    """Print the whole lines that there are; the beginning of one that is not."""
    while piece := os.read(file.fileno(), _PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            _print(line)
    return rest


def _print(line: bytes) -> None:
    api.output.data(line.decode("utf-8", "replace"))
