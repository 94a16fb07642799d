"""Programs attached to our terminal or pipes, by docker's own client: it knows raw mode and window sizes."""

import contextlib
import os
import select
import signal
import time

from minipaas_lib import api

_CLIENT = "/usr/bin/docker"  # Debian's; a newer one earlier on PATH may not fit the daemon
_TIMED_OUT = 124  # as timeout(1)
_NO_DETACH = "--detach-keys=ctrl-^,ctrl-^,ctrl-_"  # leave Ctrl-P to the shell in the container


def start(container: str, interactive: bool, ttl: int | None) -> int:
    """Start a created container, attached; its exit code, or 124 after `ttl` seconds.

    Raises errors.Cancelled when the caller hung up. The container may still run then.
    """
    words = ["start", "--attach", _NO_DETACH, *(["--interactive"] if interactive else []), container]
    return _attend(words, interactive, ttl)


def execute(container: str, command: list[str], tty: bool) -> int:
    """Run a command inside a running container, attached; its exit code. Raises errors.Cancelled."""
    words = ["exec", "--interactive", *(["--tty", _NO_DETACH] if tty else []), container, *command]
    return _attend(words, True, None)


def _attend(words: list[str], interactive: bool, ttl: int | None) -> int:
    """Run docker's client to its end, watching for the end of everybody else."""
    import subprocess

    stdin = None if interactive else subprocess.DEVNULL
    with _signals_raise():
        child = subprocess.Popen([_client(), *words], stdin=stdin)
        try:
            if not _ended_in_time(child.pid, ttl):
                api.output.warn(f"stopped after {ttl} seconds")
                return _TIMED_OUT
            code = child.wait()
            return 128 - code if code < 0 else code
        finally:
            if child.poll() is None:
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(5)
                child.kill()
                child.wait()


def _ended_in_time(pid: int, ttl: int | None) -> bool:
    """Wait for a child's end, not reaping it. False after `ttl` seconds; errors.Cancelled if stdout's reader goes."""
    poll = select.poll()
    child = os.pidfd_open(pid)
    try:
        poll.register(child, select.POLLIN)
        poll.register(1, 0)  # only errors and hang-up: without a terminal nobody else tells us that ssh has gone
        deadline = None if ttl is None else time.monotonic() + ttl
        while True:
            left = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
            ready = dict(poll.poll(left))
            if child in ready:
                return True
            if ready.get(1, 0) & (select.POLLERR | select.POLLHUP):
                raise api.errors.Cancelled("the client hung up")
            if not ready:
                return False
            poll.unregister(1)  # stdout is closed from the start (POLLNVAL): nothing to watch
    finally:
        os.close(child)


@contextlib.contextmanager
def _signals_raise():
    """Make SIGTERM and SIGHUP raise errors.Cancelled while the context lasts, unless the caller handles them."""

    def cancel(number, frame):
        for other in numbers:  # a second one must not stop the cleaning up
            signal.signal(other, signal.SIG_IGN)
        raise api.errors.Cancelled(f"ended by {signal.Signals(number).name}")

    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _client() -> str:
    import shutil

    found = _CLIENT if os.access(_CLIENT, os.X_OK) else shutil.which("docker")
    if not found:
        raise api.errors.Unavailable("there is no docker client on this host", "sudo apt-get install docker.io")
    return found
