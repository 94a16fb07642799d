"""Keep nginx's logs from filling a node's disk: no logrotate runs there.

A log that has grown takes the place of its former edition, so each app has at most twice LIMIT per kind of log, and one
that nobody has written to for long goes, as its app has most likely gone.
"""

import contextlib
import os
from collections.abc import Callable

LIMIT = 32 * 1024 * 1024  # bytes
OLD = 30 * 24 * 3600  # seconds
LOOK = 300.0  # seconds between two looks
FORMER = ".1"


def rotate(folder: str, now: float, reopen: Callable[[], None]) -> list[str]:
    """Rotate logs over LIMIT and remove old ones; their names.

    `now` is in seconds since 1970; `reopen` has nginx open new ones: until then it writes on to the renamed file.
    Raises what `reopen` raises.
    """
    rotated = []
    for name in sorted(_logs(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(path)
            if now - status.st_mtime > OLD:
                os.remove(path)
            elif status.st_size > LIMIT and not name.endswith(FORMER):
                os.replace(path, path + FORMER)
            else:
                continue
            rotated.append(name)
    if rotated:
        reopen()
    return rotated


def _logs(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith((".log", ".log" + FORMER))]
    except FileNotFoundError:
        return []
