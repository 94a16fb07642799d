"""Let old processes finish their requests, then stop them.

Goes on after the command has returned, in the background.
"""

import contextlib
import time

from minipaas_lib import errors
from minipaas_lib.bus import active_engines
from minipaas_lib.model.process import Process
from minipaas_lib.records import releases
from minipaas_lib.store import documents, open_store

AT_ONCE = 16  # processes stopped at the same time: one that ignores its signal takes its whole time to stop
DRAIN = 30  # seconds an old process may finish its requests in, unless the app says otherwise


def path(app: str) -> str:
    return f"apps/{app}/retiring.toml"


def waiting(app: str) -> set[str]:
    """The names of the processes that no longer count."""
    return set(deadlines(app))


def add(app: str, processes: list[Process]) -> None:
    """Note that the processes have to go, each after its time to drain. From then on they do not come back."""
    if not processes:
        return
    active_engines.scheduler().disown(processes)
    seconds = drain(app)
    now = int(time.time())
    # What takes no requests has none to finish.
    deadlines = {process.name: now + (seconds if process.process_type == "web" else 0) for process in processes}

    def note(document) -> None:
        for name, deadline in deadlines.items():
            document.setdefault(name, deadline)

    documents.edit(open_store(), path(app), note, create=True)


def keep(app: str, processes: list[Process]) -> None:
    """The processes no longer have to go."""
    names = {process.name for process in processes}
    if names & waiting(app):
        documents.edit(open_store(), path(app), lambda document: [document.pop(name, None) for name in names])


def drain(app: str) -> int:
    """Seconds that old web processes have to finish their requests in, as the live release says."""
    live = releases.live(app)
    return live.options.get("web", {}).get("wait_to_retire", DRAIN) if live else DRAIN


def finish(app: str, *names: str) -> None:
    """Stop the retiring processes of these names now and forget them.

    Raises what the first failure raised, when all the others have stopped and are forgotten.
    """
    from concurrent.futures import ThreadPoolExecutor

    scheduler = active_engines.scheduler()
    there = {process.name: process for process in scheduler.processes(app) if process.name in names}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        stopping = {name: pool.submit(scheduler.stop, process) for name, process in there.items()}
    failures = {name: error for name, outcome in stopping.items() if (error := outcome.exception())}
    gone = set(names) - failures.keys()
    with contextlib.suppress(errors.NotFound):  # the app itself may have gone meanwhile
        documents.edit(open_store(), path(app), lambda document: [document.pop(name, None) for name in gone])
    for error in failures.values():
        raise error


def forget(app: str) -> None:
    """Stop all retiring processes of the app at once."""
    if names := waiting(app):
        finish(app, *names)


def deadlines(app: str) -> dict[str, int]:
    """Process -> when it has to go, in seconds since 1970."""
    try:
        return documents.read(open_store(), path(app))
    except errors.NotFound:
        return {}
