"""Programs attached to this process's terminal or pipes, by docker's own client: it knows raw mode and window sizes."""

import contextlib
import os
import select
import signal
import time

from minipaas_lib import api
from plugins.scheduler_docker import client, execs

_CLIENT = "/usr/bin/docker"  # Debian's; a newer one earlier on PATH may not fit the daemon
_TIMED_OUT = 124  # as timeout(1)
_SESSION = "MINIPAAS_SESSION"
_PROBE_BYTES = 4096  # of what a probe printed are kept
_NO_DETACH = "--detach-keys=ctrl-^,ctrl-^,ctrl-_"  # leave Ctrl-P to the shell in the container


def start(daemon: client.Daemon, container: str, interactive: bool, ttl: int | None) -> int:
    """Start a created container, attached; its exit code, or 124 after `ttl` seconds.

    Raises errors.Cancelled if the caller hung up. The container may still run then.
    """
    words = ["start", "--attach", _NO_DETACH, *(["--interactive"] if interactive else []), container]
    return _attend([*daemon.words, *words], interactive, ttl)


def read(daemon: client.Daemon, container: str, say) -> int:
    """Start a created container and give each line that it prints to `say`; its exit code.

    Raises errors.Cancelled if a signal ends the wait. The container may still run then.
    """
    import subprocess

    with _signals_raise():
        child = subprocess.Popen(
            [_client(), *daemon.words, "start", "--attach", container],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert child.stdout
        try:
            for line in child.stdout:
                say(line.decode("utf-8", "replace").rstrip("\r\n"))
            code = child.wait()
            return 128 - code if code < 0 else code
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def probe(docker_api, container: str, command: list[str], timeout: float, session: str) -> tuple[int, str]:
    """Run a command inside a running container; its exit code and the end of what it printed.

    `docker_api` gives up on an answer after `timeout` seconds. Then the command gets SIGHUP, where the image has a
    shell to send it, and 124 is returned. Raises what the docker SDK raises.
    """
    import requests.exceptions

    made = docker_api.exec_create(container, command, environment={_SESSION: session})["Id"]
    said, deadline = b"", time.monotonic() + timeout
    try:
        for part in execs.output(docker_api, made):
            said = (said + part)[-_PROBE_BYTES:]
            if time.monotonic() > deadline:
                raise requests.exceptions.Timeout
    except requests.exceptions.Timeout:
        hang_up(docker_api, container, session)
        return _TIMED_OUT, f"no answer within {timeout:g} s"
    return execs.exit_code(docker_api, made), said.decode("utf-8", "replace")


def execute(daemon: client.Daemon, container: str, command: list[str], tty: bool, session: str) -> int:
    """Run a command inside a running container, attached; its exit code. Raises errors.Cancelled.

    `session` is a word of our own in the environment of whatever the command starts; see `hang_up`.
    """
    mode = ["--tty", _NO_DETACH] if tty else []
    return _attend(
        [*daemon.words, "exec", "--interactive", *mode, "--env", f"{_SESSION}={session}", container, *command],
        True,
        None,
    )


def hang_up(docker_api, container: str, session: str) -> None:
    """Send SIGHUP to the processes of a session, as a terminal that is closed does: docker lets them run on forever.

    We may not signal processes of other users, so a shell inside the container does it, where the image has one.
    Raises what the docker SDK raises.
    """
    mark = f"{_SESSION}={session}"
    script = f'for p in /proc/[0-9]*; do case "$(cat $p/environ)" in *{mark}*) kill -1 ${{p#/proc/}};; esac; done'
    probe = docker_api.exec_create(container, ["sh", "-c", script], stdout=False, stderr=False)
    docker_api.exec_start(probe["Id"], detach=True)


def _attend(words: list[str], interactive: bool, ttl: int | None) -> int:
    """Run docker's client to its end, watching for the end of the other processes."""
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
    """Within the context, make signals raise errors.Cancelled, unless the caller handles them already."""

    def cancel(number, frame):
        for other in former:  # a second one must not stop the cleaning up
            signal.signal(other, signal.SIG_IGN)
        error = api.errors.Cancelled(f"ended by {signal.Signals(number).name}")
        error.exit_code = 128 + number
        raise error

    present = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    unhandled = (signal.SIG_DFL, signal.default_int_handler)
    former = {number: handler for number, handler in present.items() if handler in unhandled}
    for number in former:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _client() -> str:
    import shutil

    found = _CLIENT if os.access(_CLIENT, os.X_OK) else shutil.which("docker")
    if not found:
        raise api.errors.Unavailable(
            "there is no docker client on this host", "on the host: sudo apt-get install docker.io"
        )
    return found
