"""The docker client as this plugin uses it: one function for each way to call it."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable

from minipaas_lib import api

_CLIENT = "/usr/bin/docker"  # Debian's; a newer one earlier on PATH may not fit the daemon


class Failed(api.errors.Unavailable):
    """docker refused; `message` holds its words."""


def path() -> str:
    """The docker client. Raises errors.Unavailable."""
    import shutil

    found = _CLIENT if os.access(_CLIENT, os.X_OK) else shutil.which("docker")
    if not found:
        raise api.errors.Unavailable(
            "there is no docker client on this host", "on the host: sudo apt-get install docker.io"
        )
    return found


def environment() -> dict[str, str]:
    steering = ("GIT_", "DOCKER_BUILDKIT")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


def run(words: list[str], timeout: float = 120, input: bytes | None = None) -> str:
    """What `docker <words>` prints. Raises Failed, errors.Unavailable."""
    try:
        stdin = subprocess.DEVNULL if input is None else None
        done = subprocess.run(
            [path(), *words], env=environment(), capture_output=True, timeout=timeout, stdin=stdin, input=input
        )
    except subprocess.TimeoutExpired:
        raise api.errors.Unavailable(f"docker did not answer within {timeout:.0f} seconds", "doctor") from None
    if done.returncode:
        raise _failed(done.stderr)
    return done.stdout.decode("utf-8", "replace").strip()


def succeeds(words: list[str]) -> bool:
    """Whether docker does it."""
    try:
        run(words)
    except Failed:
        return False
    return True


def feed(words: list[str], write: Callable, timeout: float) -> None:
    """Run `docker <words>` with the standard input that `write(file)` gives it. Raises Failed."""
    process = _start(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stdin and process.stderr
    with _ended_after(timeout, process):
        with contextlib.suppress(BrokenPipeError), process.stdin:  # docker says why it closed it
            write(process.stdin)
        with process.stderr:
            said = process.stderr.read(65536)
        if process.wait():
            raise _failed(said)


def fetch(words: list[str], limit: int, timeout: float = 60) -> bytes:
    """What `docker <words>` prints, at most `limit` bytes; nothing if docker refuses."""
    process = _start(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    with _ended_after(timeout, process), process.stdout:
        return process.stdout.read(limit)


def stream(words: list[str], say: Callable[[str], None], timeout: float, limit: str) -> int:
    """Run `docker <words>`, give each line of its output to `say`, and return its exit status.

    However it ends, the container it is attached to ends with it. Raises errors.BuildFailed with `limit` as its
    message after `timeout` seconds.
    """
    try:
        return api.kernel.streamed_command.run([path(), *words], say, timeout, environment())
    except TimeoutError:
        raise api.errors.BuildFailed(limit, "look for a step that hangs or waits for input") from None


def _start(words: list[str], **streams) -> subprocess.Popen:
    return api.kernel.streamed_command.start([path(), *words], environment(), **streams)


@contextlib.contextmanager
def _ended_after(timeout: float, process: subprocess.Popen):
    """The client is ended after `timeout` seconds, and at the end of the context."""
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        api.kernel.streamed_command.end(process)


def _failed(stderr: bytes) -> Failed:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = " ".join((lines or ["docker gave no reason"])[0].split())[:300]
    if "Cannot connect to the Docker daemon" in said or "permission denied while trying to connect" in said:
        return Failed("docker does not answer", "doctor")
    return Failed(said.removeprefix("Error response from daemon: ").removeprefix("Error: "), "doctor")
