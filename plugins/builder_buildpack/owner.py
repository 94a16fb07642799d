"""Which process a build container belongs to, so that the death of that process can be told."""

import os


def me() -> str:
    """This process: the boot of the host, its number, and when it began (proc(5), /proc/pid/stat, field 22)."""
    return f"{_boot()}:{os.getpid()}:{_began(os.getpid())}"


def alive(owner: str) -> bool:
    """Whether the process that `me` named still runs."""
    boot, _, process = owner.partition(":")
    pid, _, began = process.partition(":")
    return boot == _boot() and pid.isascii() and pid.isdigit() and _began(int(pid)) == began != ""


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read(8)


def _began(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
