"""Tell the cluster what runs on this node: one document with a time to live for each process."""

from collections.abc import Callable

from minipaas_lib import api

TTL = 60.0  # seconds that a node may be silent before its processes count as lost
RENEW = 20.0  # seconds between two signs of life: three writes a minute for each process


class Publisher:
    """Keeps the documents of one node's processes in step with what `scheduler` says of them."""

    def __init__(self, store, scheduler, node: str, clock: Callable[[], float]) -> None:
        self._store, self._scheduler, self._node, self._clock = store, scheduler, node, clock
        self._published: dict[str, dict] = {}  # by path
        self._renewed: dict[str, float] = {}  # the clock's seconds, by path

    def look(self, app: str | None = None) -> None:
        """Publish what has changed of an app's processes, or of all, and take back what is gone.

        Raises errors.Unavailable when docker or the store does not answer; what was not done is done the next time.
        """
        found = self._scheduler.processes(app)
        present = {api.service.path(process): api.service.to_document(process) for process in found}
        told = {} if app else self._told()
        for path in self._of_before(app) - present.keys():
            self._take_back(path)
        for path, document in present.items():
            if self._published.get(path) == document:
                continue
            # Of a process that fleet has moved both nodes tell for a while: the one that runs it is right.
            if document["state"] == "running" or not self._runs_elsewhere(path, told):
                self._write(path, document)
            else:
                self._forget(path)

    def renew(self) -> None:
        """Let all documents live on for which it is time. Raises errors.Unavailable."""
        for path, document in list(self._published.items()):
            if self._clock() - self._renewed.get(path, -RENEW) < RENEW:
                continue
            try:
                self._store.renew(path, TTL)
                self._renewed[path] = self._clock()
            except api.errors.NotFound:  # the store was away for longer than it lives
                self._write(path, document)

    def _told(self) -> dict[str, dict]:
        """All documents of processes; what we have published is from now on what the store has of this node's.

        An agent that was killed may have left some, and another node may have written over ours.
        """
        found = {path: _parsed(document.text) for path, document in self._store.read_all(api.service.FOLDER).documents.items()}
        self._published = {path: document for path, document in found.items() if document.get("node") == self._node}
        return found

    def _runs_elsewhere(self, path: str, told: dict[str, dict]) -> bool:
        document = told.get(path)
        if document is None:
            try:
                document = _parsed(self._store.read(path).text)
            except api.errors.NotFound:
                return False
        return document.get("node") != self._node and document.get("state") == "running"

    def _of_before(self, app: str | None) -> set[str]:
        """The documents that this node has in the store."""
        return {path for path in self._published if app is None or path.startswith(f"{api.service.FOLDER}/{app}/")}

    def _write(self, path: str, document: dict) -> None:
        api.documents.write(self._store, path, document, ttl=TTL)
        self._published[path] = document
        self._renewed[path] = self._clock()

    def _take_back(self, path: str) -> None:
        """Remove our document; one that another node has written meanwhile, which runs the process now, stays."""
        try:
            found = self._store.read(path)
            if _parsed(found.text).get("node") == self._node:
                self._store.delete(path, found.revision)
        except (api.errors.NotFound, api.errors.Conflict):
            pass
        self._forget(path)

    def _forget(self, path: str) -> None:
        self._published.pop(path, None)
        self._renewed.pop(path, None)


def _parsed(text: str) -> dict:
    """A document; empty when it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError:
        return {}
