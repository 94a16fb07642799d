"""Warn once of data that a deploy removes with the old processes, and say how to save it."""

import shlex
import threading

from minipaas_lib import api
from plugins.local_data import paths

PATIENCE = 2.0  # seconds that a deploy waits for the answer at most
_PROCESSES = 4  # that are asked: those of one type write the same files
_SHOWN = 5  # places that are named
_KEPT = 200  # places that are remembered


def document(app: str) -> str:
    return f"apps/{app}/local-data.toml"


def warn(app, previous) -> None:
    """Warn of data in files of the processes of `previous`, if there was no warning of it before.

    It never fails a deploy: what is not known in time is left out.
    """
    found: list[tuple[str, str]] = []
    thread = threading.Thread(target=_look, args=(previous, found), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    places = list(dict.fromkeys(found))
    try:
        known = _known(app)
        fresh = [(process, place) for process, place in places if place not in known]
        if not fresh:
            return
        whole = sorted(known | {place for _, place in fresh})[-_KEPT:]
        api.kernel.documents.write(api.kernel.store(), document(app.name), {"created": app.created, "warned": whole})
    except api.errors.Cancelled:
        raise
    except Exception:  # as in _look; a document may be broken by hand
        return
    for line in lines(app.name, previous.name, fresh):
        api.output.warn(line)


def lines(app: str, release: str, places: list[tuple[str, str]]) -> list[str]:
    """The warning for (process, place) pairs. Pure."""
    one_each = list({place: (process, place) for process, place in reversed(places)}.values())[::-1]
    shown = ", ".join(api.names.safe(place)[1:-1] for _, place in one_each[:_SHOWN])
    more = f" and {len(one_each) - _SHOWN} more" if len(one_each) > _SHOWN else ""
    message = [
        f"{release} of {app} has written what looks like data into files of its own: {shown}{more}",
        (
            "each deploy and restart begins with the files of the image: these go when the old processes do. To save "
            "them, on the host, soon:"
        ),
    ]
    typable = [pair for pair in one_each[:_SHOWN] if pair[1].isprintable()]
    message += [f"    docker cp {shlex.quote(f'{process}:{place}')} ." for process, place in typable]
    return [*message, "keep data in a database or an object store outside the app. This is said once"]


def _known(app) -> set[str]:
    """The places that there was a warning of. A clone has its original's documents, but not its files."""
    try:
        kept = dict(api.kernel.documents.read(api.kernel.store(), document(app.name)))
    except api.errors.NotFound:
        return set()
    return set(map(str, kept.get("warned", []))) if kept.get("created") == app.created else set()


def _look(previous, places: list[tuple[str, str]]) -> None:
    """Ask the scheduler, if it can tell, about the first process of each type, under the app's name at that time."""
    try:
        scheduler = api.scheduler()
        written = api.kernel.engines.written(scheduler)
        if written is None:
            return
        number = previous.processes or previous.number
        mine = [
            process
            for process in scheduler.processes(previous.app)
            if process.release == number and process.state == "running"
        ]
        first: dict = {}
        for process in sorted(mine, key=lambda process: process.process_type != "web"):
            first.setdefault(process.process_type, process)
        for process in list(first.values())[:_PROCESSES]:
            changes = written(process, PATIENCE)
            places += [(process.name, place) for place in paths.data(changes.files, changes.volumes)]
    except Exception:  # a warning is worth no deploy
        return
