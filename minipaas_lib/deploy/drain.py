"""Let old processes finish their requests, then stop them.

This continues in the background after the command has returned.
"""

import contextlib
import time

from minipaas_lib import errors
from minipaas_lib.bus import active_engines
from minipaas_lib.model.process import Process
from minipaas_lib.records import releases
from minipaas_lib.store import documents, layout, open_store

AT_ONCE = 16  # processes stopped at the same time: one that ignores its signal takes its whole stop timeout
DRAIN = 30  # seconds for an old process to finish its requests, by default


def waiting(app: str) -> set[str]:
    """The names of the draining processes, which no longer count."""
    return set(deadlines(app))


def add(app: str, processes: list[Process]) -> None:
    """Record that the processes are to be stopped, each after its time to drain. They are not restarted from now on."""
    if not processes:
        return
    active_engines.scheduler().disown(processes)
    seconds = drain(app)
    now = int(time.time())
    # Processes without requests have none to finish.
    deadlines = {process.name: now + (seconds if process.process_type == "web" else 0) for process in processes}

    def note(document) -> None:
        for name, deadline in deadlines.items():
            document.setdefault(name, deadline)

    documents.edit(open_store(), layout.retiring(app), note, create=True)


def keep(app: str, processes: list[Process]) -> None:
    """Stop draining the processes: they stay."""
    names = {process.name for process in processes}
    if names & waiting(app):
        documents.edit(
            open_store(), layout.retiring(app), lambda document: [document.pop(name, None) for name in names]
        )


def drain(app: str) -> int:
    """Seconds for old web processes to finish their requests, from the live release."""
    live = releases.live(app)
    return live.options.get("web", {}).get("wait_to_retire", DRAIN) if live else DRAIN


def finish(app: str, *names: str) -> None:
    """Stop the draining processes of these names now and forget them.

    Raises the first failure once all the others have stopped and are forgotten.
    """
    from concurrent.futures import ThreadPoolExecutor

    scheduler = active_engines.scheduler()
    present = {process.name: process for process in scheduler.processes(app) if process.name in names}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        stopping = {name: pool.submit(scheduler.stop, process) for name, process in present.items()}
    failures = {name: error for name, outcome in stopping.items() if (error := outcome.exception())}
    gone = set(names) - failures.keys()
    with contextlib.suppress(errors.NotFound):  # the app itself may have gone in the meantime
        documents.edit(open_store(), layout.retiring(app), lambda document: [document.pop(name, None) for name in gone])
    for error in failures.values():
        raise error


def forget(app: str) -> None:
    """Stop all draining processes of the app at once."""
    if names := waiting(app):
        finish(app, *names)


def deadlines(app: str) -> dict[str, int]:
    """Process -> when it is to be stopped, in seconds since 1970."""
    try:
        return documents.read(open_store(), layout.retiring(app))
    except errors.NotFound:
        return {}
