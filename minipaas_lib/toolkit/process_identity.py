"""Tell a process from every other one, later ones of the same number too. Source: proc(5), proc_pid_stat(5)."""


def boot() -> str:
    """The id of this boot of the machine. Raises OSError where /proc does not tell."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def began(pid: int) -> str:
    """When a process began, in clock ticks since the boot; empty for one that has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()  # the name before it may have spaces and brackets
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
