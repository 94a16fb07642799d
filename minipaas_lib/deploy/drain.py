"""Let old processes finish their requests, then stop them.

Goes on after the command has returned, in the background.
"""

import contextlib
import time

from minipaas_lib import errors
from minipaas_lib.bus import active_engines
from minipaas_lib.journal import background, locks
from minipaas_lib.model.process import Process
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, open_store

LOOK_AGAIN = 1.0  # seconds; meanwhile a process may be added whose time comes sooner
PATIENCE = 600  # seconds that a process which cannot be stopped is tried again, and a store that does not answer
AT_ONCE = 16  # processes stopped at the same time: one that ignores its signal takes its whole time to stop
DRAIN = 30  # seconds an old process may finish its requests in, unless the app says otherwise


def path(app: str) -> str:
    return f"apps/{app}/retiring.toml"


def waiting(app: str) -> set[str]:
    """The names of the processes that no longer count."""
    return set(_read(app))


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


def spawn(app: str) -> None:
    """Retire in a process of its own, which holds none of our locks, pipes or sockets."""
    background.spawn(lambda: run(app))


def run(app: str) -> None:
    """Stop and forget every retiring process of the app when its time has come. One process does so at a time.

    A second one leaves the work to the first, which looks again after it has let go of the lock. Nobody repeats this
    one's work where the store does not answer for a while: it tries again itself. Raises errors.Unavailable in the end.
    """
    end = 0.0
    while True:
        try:
            return _work(app)
        except errors.Locked:
            if not end:
                return
            failure = None  # the lock may be our own, whose release the store did not hear
        except errors.Unavailable as error:
            failure = error
        end = end or time.time() + PATIENCE
        if time.time() > end:
            if failure:
                raise failure
            return
        time.sleep(LOOK_AGAIN)


def _work(app: str) -> None:
    """Raises errors.Locked while another one does it, errors.Unavailable."""
    from minipaas_lib.deploy import auto_rollback  # which needs this module

    while _read(app):
        with open_store().lock(f"retire/{app}", locks.holder()) as lock:
            while present := _read(app):
                lock.check()
                soonest, now = min(present.values()), time.time()
                if due := [name for name, deadline in present.items() if deadline <= now]:
                    try:
                        finish(app, *due)
                    except errors.Unavailable:  # docker restarts; the next command goes on where we give up
                        if time.time() > soonest + PATIENCE:
                            return
                        time.sleep(LOOK_AGAIN)
                else:
                    auto_rollback.look(app)
                    time.sleep(max(0.0, min(LOOK_AGAIN, soonest - time.time())))
            auto_rollback.end_with_drain(app)
            forget_renamed(app)


def forget_renamed(app: str) -> None:
    """Remove the empty list of an app that has another name now, or is gone."""
    with contextlib.suppress(errors.NotFound, errors.Conflict):
        revision = open_store().read(path(app)).revision
        if not waiting(app) and not open_store().exists(apps.document_path(app)):
            open_store().delete(path(app), revision)


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


def _read(app: str) -> dict[str, int]:
    try:
        return documents.read(open_store(), path(app))
    except errors.NotFound:
        return {}
