"""Cancel a deploy when its client hangs up before traffic moves; after that, let it finish."""

import contextlib
import os
import select
import signal
import stat
import threading
from collections.abc import Callable

from minipaas_lib import errors, output

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_final = False


@contextlib.contextmanager
def cancellable():
    """Within the context, a signal or a hang-up of the client raises errors.Cancelled in the main thread."""
    global _final
    _final = False
    former = {number: signal.signal(number, _cancel) for number in SIGNALS}
    stop = threading.Event()
    threading.Thread(target=_watch_client, args=(stop,), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        for number, handler in former.items():
            signal.signal(number, handler)


def no_way_back() -> None:
    """Ignore hang-ups and signals from now on, as traffic is about to move."""
    global _final
    _final = True
    output.outlive_reader()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _cancel(number: int, frame) -> None:
    for other in SIGNALS:  # a second signal must not interrupt the cleanup
        signal.signal(other, signal.SIG_IGN)
    output.outlive_reader()
    raise errors.Cancelled("cancelled before traffic moved")


def _watch_client(stop: threading.Event) -> None:
    """Turn the end of the client into SIGHUP: a broken pipe goes unnoticed while there is no output."""
    has_gone = _pusher_watch() if "GIT_QUARANTINE_PATH" in os.environ else _reader_watch()
    while has_gone and not stop.wait(0.5):
        if has_gone():
            output.drop()
            if not _final:
                os.kill(os.getpid(), signal.SIGHUP)
            return


def _reader_watch() -> Callable[[], bool] | None:
    """A function that returns whether the reader of stderr has gone; None if stderr is a file or a terminal."""
    mode = os.fstat(2).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    poll = select.poll()
    poll.register(2, 0)  # POLLERR and POLLHUP are always reported
    return lambda: bool(poll.poll(0))


def _pusher_watch() -> Callable[[], bool]:
    """A function that returns whether the client of the push whose hook this is has gone.

    git-receive-pack outlives its client and keeps this process's stderr open, without reading it, until the hook ends.
    But it becomes an orphan then: sshd, its parent, ends with the connection.
    """
    before = _lineage()
    return lambda: (now := _lineage()) != before or now[1] == 1


def _lineage() -> tuple[int, int]:
    """The pids of the parent process and its parent (proc(5), /proc/pid/stat)."""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", "rb") as file:
            return parent, int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return parent, 1
