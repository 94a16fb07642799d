"""Run a program of the host and return its output, with `sh`.

On a small machine importing `sh` takes 80 ms longer than subprocess, and each program 15 ms longer. So this is for slow
commands, not for what every push or list waits for, and never under gevent, where it hangs.
"""

import contextlib
import os
import signal
from collections.abc import Mapping

from minipaas_lib import errors, output, vendor

_PACKAGES = {"docker": "docker.io", "ssh-keygen": "openssh-client", "ssh-keyscan": "openssh-client"}  # Debian's


class Failed(errors.Unavailable):
    """A program ended with a status other than 0 (negative: the signal that killed it)."""

    def __init__(self, name: str, status: int, out: str, err: str) -> None:
        lines = [line.strip() for line in err.splitlines() if line.strip()]
        super().__init__(f"{name} failed: {output.tame(lines[-1])[:300] if lines else 'it said nothing'}", "doctor")
        self.status, self.out, self.err = status, out, err


def run(
    *command: str, timeout: float = 60, input: str | bytes = "", environment: Mapping[str, str] | None = None
) -> str:
    """The output of `command`, which gets `input` on stdin and no terminal; `timeout` in seconds.

    All its processes are killed on a timeout or any other exception. Raises Failed, errors.Unavailable if it is not
    installed or takes too long.
    """
    vendor.activate()
    import sh

    name = os.path.basename(command[0])
    try:
        program = sh.Command(command[0])
    except sh.CommandNotFound:
        package = f"on the host: sudo apt-get install {_PACKAGES.get(name, name)}"
        raise errors.Unavailable(f"{name} is not installed on this host", package) from None
    running: sh.RunningCommand = program(
        *command[1:],
        _in=input,
        _env=dict(environment) if environment is not None else None,
        _timeout=timeout,
        _tty_out=False,
        _new_session=True,
        _encoding="utf-8",
        _decode_errors="replace",
        _bg=True,
        _bg_exc=False,
    )
    try:
        running.wait()
    except sh.TimeoutException:
        span = "1 second" if timeout == 1 else f"{timeout:.0f} seconds"
        raise errors.Unavailable(f"{name} did not finish within {span}", "doctor") from None
    except sh.ErrorReturnCode as error:
        out, err = (text.decode("utf-8", "replace") for text in (error.stdout, error.stderr))
        raise Failed(name, error.exit_code, out, err) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.process.wait()
    return str(running)
