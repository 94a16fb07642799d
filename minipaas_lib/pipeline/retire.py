"""Let old processes finish their requests, then stop them. Goes on after the command has returned, in the background."""

import contextlib
import os
import signal
import sys
import time

from minipaas_lib import errors
from minipaas_lib.model.process import Process
from minipaas_lib.pipeline import engines, locks, releases
from minipaas_lib.store import documents, open_store

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
    engines.scheduler().disown(processes)
    deadlines = {process.name: int(time.time()) + drain(process) for process in processes}

    def note(document) -> None:
        for name, deadline in deadlines.items():
            document.setdefault(name, deadline)

    documents.edit(open_store(), path(app), note, create=True)


def drain(process: Process) -> int:
    """Seconds the process has to finish its requests; what takes no requests has none to finish."""
    if process.process_type != "web":
        return 0
    try:
        options = releases.load(process.app, process.release).options
    except errors.MinipaasError:
        return DRAIN
    return options.get(process.process_type, {}).get("wait_to_retire", DRAIN)


def spawn(app: str) -> None:
    """Retire in a process of its own, which holds none of our locks, pipes or sockets."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        if os.fork() == 0:
            _detach()
            run(app)
    finally:
        os._exit(0)


def run(app: str) -> None:
    """Stop and forget every retiring process of the app when its time has come. One process does so at a time."""
    with open_store().lock(f"retire/{app}", locks.holder(), wait=7200.0):
        while present := _read(app):
            name, deadline = min(present.items(), key=lambda item: item[1])
            time.sleep(max(0.0, deadline - time.time()))
            finish(app, name)


def finish(app: str, name: str) -> None:
    """Stop the retiring process `name` now and forget it."""
    scheduler = engines.scheduler()
    for process in scheduler.processes(app):
        if process.name == name:
            scheduler.stop(process)
    with contextlib.suppress(errors.NotFound):  # the app itself may have gone meanwhile
        documents.edit(open_store(), path(app), lambda document: document.pop(name, None))


def forget(app: str) -> None:
    """Stop all retiring processes of the app at once."""
    for name in waiting(app):
        finish(app, name)


def _detach() -> None:
    """Leave the session and every open file behind, so that nobody waits for us."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for lock in locks.held:
        lock.close_in_child()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.closerange(3, 4096)
    engines.forget()


def _read(app: str) -> dict[str, int]:
    try:
        return documents.read(open_store(), path(app))
    except errors.NotFound:
        return {}
