"""The logs of apps: print them, and remove them by a helper that install.sh installs.

nginx makes them as root.
"""

import os

from minipaas_lib import api

_PIECE = 1 << 16  # bytes
_HELPER = "/usr/local/lib/minipaas/remove-logs"


def show(path: str, lines: int, follow: bool) -> None:
    """Print the last `lines` lines of a log, and with `follow` new ones until the reader goes.

    A visitor's words stand in them (Referer, User-Agent), so each line is tamed.
    """
    import subprocess

    words = ["/usr/bin/tail", "-n", str(lines), *(["-F"] if follow else []), "--", path]
    if follow:
        api.kernel.end_with_key()
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as tail:
        assert tail.stdout
        try:
            rest = b""
            while piece := _read(tail.stdout.fileno()):
                *whole, rest = (rest + piece).split(b"\n")
                if whole:
                    api.output.data(b"\n".join(whole).decode("utf-8", "replace"))
            if rest:
                api.output.data(rest.decode("utf-8", "replace"))
        finally:
            tail.terminate()


def _read(descriptor: int) -> bytes:
    """Read what is available; empty at the end, and once the reader of stdout has gone."""
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.register(1, 0)  # POLLERR and POLLHUP are always told
    ready = dict(poll.poll())
    if ready.get(1, 0) & (select.POLLERR | select.POLLHUP):
        return b""
    return os.read(descriptor, _PIECE)


def remove(app: str) -> None:
    """Remove the logs of an app that is gone for good. Raises errors.Unavailable."""
    import subprocess

    if "MINIPAAS_ROOT" in os.environ or not os.path.exists(_HELPER):
        return  # a world of its own, whose apps may be called as the host's
    done = subprocess.run(
        ["sudo", "-n", _HELPER, app], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip() or f"{_HELPER} ended with status {done.returncode}"
        raise api.errors.Unavailable(f"the logs of {app} stay: {said}", "as root: minipaas install")
