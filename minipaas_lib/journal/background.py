"""Work that continues after the command has returned."""

import os
import signal
import sys
from collections.abc import Callable

from minipaas_lib import paths
from minipaas_lib.bus import active_engines
from minipaas_lib.journal import held


def spawn(work: Callable[[], object]) -> None:
    """Do `work` in a process of its own, which inherits no locks, pipes or sockets. Its output is discarded."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            _detach()
            work()
    finally:
        os._exit(0)


def _detach() -> None:
    """Leave the session and close all files, so that nobody waits for this process."""
    os.setsid()
    held.patience = 0.0  # background work does not wait for a busy app
    paths.forget_caller()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for lock in held.locks:
        lock.close_in_child()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 4096)
    active_engines.forget()
