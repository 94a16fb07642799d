"""The command that waits for a one-off container, identified so that its death can be detected."""

import os
import re


def me() -> str:
    """This process: the boot, its pid, its start (proc(5), /proc/pid/stat, field 22), and the host."""
    return f"{_boot()}:{os.getpid()}:{_began(os.getpid())}:{_host()}"


def alive(owner: str) -> bool:
    """Whether the process that `me` named still runs. Of another host's, which uses the same node, we cannot know."""
    found = re.fullmatch("([0-9a-f]{8}):([0-9]{1,10}):([0-9]{1,20})(?::([0-9a-f]{8})?)?", owner)
    if not found:
        return False
    boot, pid, began, host = found.groups()
    if boot == _boot():
        return _began(int(pid)) == began
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
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def _began(pid: int) -> str:
    """When a process began, in ticks since the boot; empty if there is none with that pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
