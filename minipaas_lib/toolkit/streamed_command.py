"""Run a long command and read its output line by line. It never outlives the process that waits for it."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

_SETPRIV = "/usr/bin/setpriv"
_STOP_TIMEOUT = 10  # seconds to end after SIGTERM
_LINE_LIMIT = 64 * 1024  # bytes; a longer line is passed on in parts


def run(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run `argv`, pass each line of its output to `on_line`, and return its exit status.

    Whatever is raised meanwhile, by `on_line` or by a signal handler, the command is ended before it goes on.
    Raises TimeoutError after `timeout` seconds, OSError if the command cannot be started.
    """
    deadline = time.monotonic() + timeout
    process = start(argv, environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout
    try:
        _read(process.stdout, on_line, deadline)
        return process.wait()
    finally:
        process.stdout.close()
        end(process)


def start(argv: Sequence[str], environment: Mapping[str, str] | None = None, **streams) -> subprocess.Popen:
    """Start a command that gets SIGTERM when this process is killed. `streams` as for subprocess.Popen."""
    tied = [_SETPRIV, "--pdeathsig", "TERM", "--"] if os.access(_SETPRIV, os.X_OK) else []
    return subprocess.Popen([*tied, *argv], env=environment, start_new_session=True, **streams)


def end(process: subprocess.Popen) -> None:
    """End a command, by SIGTERM and after a while by SIGKILL."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _read(output: IO[bytes], on_line: Callable[[str], None], deadline: float) -> None:
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise TimeoutError("the command took too long")
            piece = os.read(output.fileno(), 65536)
            *lines, pending = (pending + piece).split(b"\n")
            if len(pending) > _LINE_LIMIT or (pending and not piece):
                lines, pending = [*lines, pending], b""
            for line in lines:
                on_line(line.decode("utf-8", "replace"))
            if not piece:
                return
