"""Stop a deploy when its client hangs up, until traffic moves; from then on let it finish."""

import contextlib
import os
import select
import signal
import stat
import threading

from minipaas_lib import errors, output

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_final = False


@contextlib.contextmanager
def cancellable():
    """While the context lasts, a signal or a client that hangs up raises errors.Cancelled in the main thread."""
    global _final
    _final = False
    former = {number: signal.signal(number, _cancel) for number in SIGNALS}
    stop = threading.Event()
    threading.Thread(target=_watch_reader, args=(stop,), daemon=True).start()
    try:
        yield
    finally:
        stop.set()
        for number, handler in former.items():
            signal.signal(number, handler)


def no_way_back() -> None:
    """Traffic is about to move: ignore hang-ups and signals from here."""
    global _final
    _final = True
    output.outlive_reader()
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _cancel(number: int, frame) -> None:
    for other in SIGNALS:  # a second one must not stop the cleaning up
        signal.signal(other, signal.SIG_IGN)
    output.outlive_reader()
    raise errors.Cancelled("cancelled before traffic moved")


def _watch_reader(stop: threading.Event) -> None:
    """Turn the end of whoever reads our stderr into SIGHUP: without output a broken pipe would go unnoticed."""
    mode = os.fstat(2).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    poll = select.poll()
    poll.register(2, 0)  # POLLERR and POLLHUP are always told
    while not stop.wait(0.5):
        if poll.poll(0) and not _final:
            os.kill(os.getpid(), signal.SIGHUP)
            return
