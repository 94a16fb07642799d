"""Who waits for a one-off container: the command that made it, named so that its death can be told."""

import os


def me() -> str:
    """This process: the boot of the host, its number, and when it began (proc(5), /proc/pid/stat, field 22)."""
    return f"{_boot()}:{os.getpid()}:{_began(os.getpid())}"


def alive(owner: str) -> bool:
    """Whether the process that `me` named still runs."""
    boot, _, process = owner.partition(":")
    pid, _, began = process.partition(":")
    return boot == _boot() and pid.isdigit() and _began(int(pid)) == began != ""


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def _began(pid: int) -> str:
    """When a process began, in ticks since the boot; empty where there is none of that number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
