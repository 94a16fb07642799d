"""The one process on a head that follows the cluster's routes: see route_follower.py, which is what it runs."""

import os

from minipaas_lib import api

COMMAND = ("node:follow", "--serve")
LOCK = "follow.lock"  # in the cache folder: held by that process as long as it lives


def ensure_running() -> None:
    """Have one on this host; it goes on when this command has ended."""
    if not is_running():
        api.in_background(_become)


def is_running() -> bool:
    """Whether one is here."""
    import fcntl

    try:
        with open(api.paths.cache(LOCK), "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _become() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MINIPAAS_", "GIT_", "SSH_"))}
    kept |= {name: os.environ[name] for name in ("MINIPAAS_ROOT", "MINIPAAS_PROGRAM") if name in os.environ}
    program = api.paths.program()
    os.execve(program, [program, *COMMAND], kept)
