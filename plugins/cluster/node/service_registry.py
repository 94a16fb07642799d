"""Publishes what runs on this node: one document with a time to live for each process."""

import threading
from collections.abc import Callable

from minipaas_lib import api
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.routes import route_reconciler

TTL = 60.0  # seconds that a node may be silent before its processes count as lost
RENEW = 25.0  # seconds between two signs of life: fewer than three writes a minute for each process


class Publisher:
    """Keeps the documents of one node's processes in step with what `scheduler` says of them.

    The agent looks, settles and renews at once; each waits for the other.
    """

    def __init__(self, store, scheduler: LocalScheduler, node: str, clock: Callable[[], float]) -> None:
        self._store, self._scheduler, self._node, self._clock = store, scheduler, node, clock
        self._published: dict[str, dict] = {}  # by path
        self._renewed: dict[str, float] = {}  # the clock's seconds, by path
        self._running: dict[str, dict] = {}  # what ran here at the last look, by path
        self._busy = threading.Lock()

    def look(self, app: str | None = None) -> None:
        """Publish what has changed of an app's processes, or of all, and take back what is gone.

        Raises errors.Unavailable when docker or the store does not answer; what was not done is done the next time.
        """
        with self._busy:
            # One that is missing is just going.
            processes = [process for process in self._scheduler.processes(app) if process.state != "missing"]
            told = self._told(app)
            present = {path: _counted(one, told.get(path, {})) for path, one in _documents(processes)}
            self._running = {path: one for path, one in self._running.items() if app and not _is_of(path, app)}
            self._running |= {path: one for path, one in present.items() if one["state"] == "running"}
            for path in self._of_before(app) - present.keys():
                self._take_back(path)
            for path, document in present.items():
                if told.get(path) == document:
                    continue
                if _is_right(document, told.get(path, {})):
                    self._write(path, document)
                else:
                    self._forget(path)

    def settle(self) -> None:
        """Publish again what runs here and has a document of another node, where it ran too and has ended.

        Nothing happens here then, so no look would see it. Raises errors.Unavailable.
        """
        with self._busy:
            told = self._told()
            for path, document in self._running.items():
                if told.get(path) != document and _is_right(document, told.get(path, {})):
                    self._write(path, document)

    def renew(self) -> None:
        """Let all documents live on for which it is time. Raises errors.Unavailable."""
        with self._busy:
            for path, document in list(self._published.items()):
                if self._clock() - self._renewed.get(path, -RENEW) < RENEW:
                    continue
                try:
                    self._store.renew(path, TTL)
                    self._renewed[path] = self._clock()
                except api.errors.NotFound:  # the store was away for longer than it lives
                    self._write(path, document)

    def _told(self, app: str | None = None) -> dict[str, dict]:
        """The documents of an app's processes, or of all; those of this node are from now on what we have published.

        An agent that was killed may have left some, and another node may have written over ours.
        """
        folder = f"{api.kernel.service.FOLDER}/{app}" if app else api.kernel.service.FOLDER
        documents = {path: _parsed(text) for path, text in route_reconciler.texts(self._store, folder).items()}
        self._published = {path: one for path, one in self._published.items() if app and not _is_of(path, app)}
        self._published |= {path: one for path, one in documents.items() if one.get("node") == self._node}
        return documents

    def _of_before(self, app: str | None) -> set[str]:
        """The documents that this node has in the store."""
        return {path for path in self._published if app is None or _is_of(path, app)}

    def _write(self, path: str, document: dict) -> None:
        api.kernel.documents.write(self._store, path, document, ttl=TTL)
        self._published[path] = document
        self._renewed[path] = self._clock()

    def _take_back(self, path: str) -> None:
        """Remove our document; one that another node has written meanwhile, which runs the process now, stays."""
        try:
            document = self._store.read(path)
            if _parsed(document.text).get("node") == self._node:
                self._store.delete(path, document.revision)
        except (api.errors.NotFound, api.errors.Conflict):
            pass
        self._forget(path)

    def _forget(self, path: str) -> None:
        self._published.pop(path, None)
        self._renewed.pop(path, None)


def _is_of(path: str, app: str) -> bool:
    return path.startswith(f"{api.kernel.service.FOLDER}/{app}/")


def _documents(processes: list) -> list[tuple[str, dict]]:
    return [(api.kernel.service.path(process), api.kernel.service.to_document(process)) for process in processes]


def _counted(document: dict, told: dict) -> dict:
    """The document with the restarts that were told of before, and one more where its container has started again.

    docker counts none: systemd starts it again. Restarts while no agent runs count as one.
    """
    if not document["id"] or (told.get("id"), told.get("node")) != (document["id"], document["node"]):
        return document
    before = told.get("restarts")
    again = bool(told.get("started")) and document["started"] > str(told["started"])
    return document | {"restarts": (before if type(before) is int else 0) + again}


def _is_right(ours: dict, told: dict) -> bool:
    """Whether what this node says of a process holds, rather than what is told of it.

    A process that fleet has moved may run on two nodes for a while, the former having been cut off: the one that runs
    it is right, and of two the one that started it later.
    """
    if told.get("node") == ours["node"] or told.get("state") != "running":
        return True
    return ours["state"] == "running" and ours["started"] > str(told.get("started"))


def _parsed(text: str) -> dict:
    """A document; empty when it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError:
        return {}
