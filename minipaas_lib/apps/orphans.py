"""Processes and routes of apps without a document: it was removed by hand, or an old state was restored."""

import re

from minipaas_lib import names, output
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import drain
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.process import Process
from minipaas_lib.records import apps


def found() -> dict[str, list[Process]]:
    """App -> its processes (none if only a route is left), for each app without a document or a command in progress.

    Raises errors.Unavailable.
    """
    processes: dict[str, list[Process]] = {name: [] for name in active_engines.router().routes()}
    for process in active_engines.scheduler().processes():
        processes.setdefault(process.app, []).append(process)
    known = set(apps.names())
    return {name: mine for name, mine in sorted(processes.items()) if name not in known and not _expected(name)}


def words(processes: list[Process]) -> str:
    """What is left of the app, in words."""
    if not processes:
        return "a route"
    return f"{len(processes)} process{'' if len(processes) == 1 else 'es'}"


def remove() -> list[str]:
    """Remove all orphans, routes first; return what was removed, in words. Failures are reported.

    If the store has no app at all nothing is removed: then the store was lost, rather than the processes orphaned.
    """
    done: list[str] = []
    if not apps.names():
        return done
    for name in found():
        if not re.fullmatch(names.APP_NAME, name):
            output.warn(f"{names.safe(name)} cannot be the name of an app, so its processes stay")
            continue
        try:
            with locks.name_lock(name):
                if name in apps.names() or journal.read(name) or drain.waiting(name):
                    continue  # somebody was faster
                active_engines.router().remove(name)
                processes = active_engines.scheduler().processes(name)
                for process in processes:
                    active_engines.scheduler().stop(process)
                done.append(f"{name}: {words(processes)} without an app removed")
        except Exception as error:
            apps.has_failed(name, error)
    return done


def _expected(name: str) -> bool:
    """Whether its document is missing only for now: a command is in progress or was killed, or processes drain."""
    if not re.fullmatch(names.APP_NAME, name):
        return False
    return bool(locks.held_by(name) or journal.read(name) or drain.waiting(name))
