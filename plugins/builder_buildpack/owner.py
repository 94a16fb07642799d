"""Which process a build container belongs to, so that the death of that process can be told."""

import os

from minipaas_lib import api


def me() -> str:
    """This process: the boot of the host, its number, and when it began (proc(5), /proc/pid/stat, field 22)."""
    return f"{_boot()}:{os.getpid()}:{api.kernel.process_identity.began(os.getpid())}"


def alive(owner: str) -> bool:
    """Whether the process that `me` named still runs."""
    boot, _, process = owner.partition(":")
    pid, _, began = process.partition(":")
    return (
        boot == _boot()
        and pid.isascii()
        and pid.isdigit()
        and api.kernel.process_identity.began(int(pid)) == began != ""
    )


def _boot() -> str:
    return api.kernel.process_identity.boot()[:8]
