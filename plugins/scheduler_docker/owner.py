"""The command that waits for a one-off container, identified so that its death can be detected."""

import os
import re

from minipaas_lib import api


def me() -> str:
    """This process: the boot, its pid, its start (proc(5), /proc/pid/stat, field 22), and the host."""
    return f"{_boot()}:{os.getpid()}:{api.kernel.process_identity.began(os.getpid())}:{_host()}"


def alive(owner: str) -> bool:
    """Whether the process that `me` named still runs. Of another host's, which uses the same node, we cannot know."""
    found = re.fullmatch("([0-9a-f]{8}):([0-9]{1,10}):([0-9]{1,20})(?::([0-9a-f]{8})?)?", owner)
    if not found:
        return False
    boot, pid, began, host = found.groups()
    if boot == _boot():
        return api.kernel.process_identity.began(int(pid)) == began
    return bool(host and _host() and host != _host())


def _host() -> str:
    """This host's machine ID; empty if it has no such file (machine-id(5))."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            found = file.read(8)
            return found if re.fullmatch("[0-9a-f]{8}", found) else ""
    except (OSError, ValueError):
        return ""


def _boot() -> str:
    return api.kernel.process_identity.boot()[:8]
