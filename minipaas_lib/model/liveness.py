"""The health command of a container: what docker runs inside it to see whether a process is alive. Pure.

Docker only marks an unhealthy container and restarts nothing. So the command counts the failures itself and kills
every process it can reach: `kill -9 -1` spares only process 1, docker's init, which then ends the container with its
child, and the restart policy starts it again. All tools come from one static busybox that is mounted into the
container, as many images have no shell.
"""

import shlex
from dataclasses import dataclass

from minipaas_lib.model.healthcheck import Check

TOOL = "/.minipaas/busybox"  # inside the container
MARK = "/dev/shm/.minipaas-alive"  # exists once it has been alive since the container's start
GRACE = 60.0  # seconds that a process has to come alive, if its initialDelay is not longer

_FRAME = """\
B={tool}
try() {{ left=$1 pause=$2; shift 2; \
while ! "$@"; do left=$((left-1)); [ $left -gt 0 ] || return 1; $B sleep $pause; done; }}
{functions}
if {chain}; then $B touch {mark}; exit 0; fi
if [ ! -e {mark} ]; then
  read up rest </proc/uptime; read stat </proc/1/stat; set -- ${{stat##*) }}
  [ $((${{up%.*}}-${{20}}/100)) -ge {grace} ] || exit 1
fi
echo minipaas: not alive, so the process is ended and started anew
kill -9 -1
exit 1
"""


@dataclass(frozen=True)
class Healthcheck:
    """What the scheduler has to run inside a container periodically. Times are in seconds."""

    command: tuple[str, ...]
    interval: float
    timeout: float
    grace: float


def healthcheck(checks: list[Check], port: int) -> Healthcheck | None:
    """The health command for all liveness checks of a process; None if there are none."""
    if not checks:
        return None
    grace = max(GRACE, *(check.initial_delay for check in checks))
    functions = [f"c{index}() {{ {_line(check, port)}; }}" for index, check in enumerate(checks)]
    chain = " && ".join(f"try {check.attempts} {_number(check.wait)} c{index}" for index, check in enumerate(checks))
    script = _FRAME.format(tool=TOOL, functions="\n".join(functions), chain=chain, mark=MARK, grace=_number(grace))
    return Healthcheck(
        command=(TOOL, "sh", "-c", script),
        interval=max(1.0, min(check.wait for check in checks)),
        timeout=sum(check.attempts * (check.timeout + check.wait) for check in checks) + 30,
        grace=grace,
    )


def _line(check: Check, port: int) -> str:
    """The shell command that makes one attempt."""
    limited = f"$B timeout -s KILL {_number(check.timeout)} "
    port = check.port or port
    if check.kind == "command":
        return limited + shlex.join(check.command)
    if check.kind == "listening":
        # A line of /proc/net/tcp: "0: 00000000:1388 00000000:0000 0A ..."; 0A is TCP_LISTEN
        return f"$B grep -q ': [0-9A-F]*:{port:04X} [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6"
    headers = "".join(f" --header {shlex.quote(f'{name}: {value}')}" for name, value in check.headers)
    url = shlex.quote(f"http://127.0.0.1:{port}{check.path}")
    fetch = f"{limited}$B wget -q -Y off{headers} -O {'-' if check.content else '/dev/null'} {url}"
    return f"{fetch} | $B grep -qF -e {shlex.quote(check.content)}" if check.content else fetch


def _number(seconds: float) -> str:
    """Whole seconds, rounded up: not every busybox has fractions in sleep and timeout."""
    return str(max(1, -int(-seconds // 1)))
