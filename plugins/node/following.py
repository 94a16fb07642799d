"""Follow the cluster's routes on this node: each app's route with the processes where they are now."""

import tomllib
from collections.abc import Callable

from minipaas_lib import api
from plugins.node import routing

TTL = 60.0  # seconds that a router may be silent before a deploy no longer waits for it
RENEW = 20.0  # seconds between two signs of life
FOLDER = "routers"
PROBE_AGAIN = 5.0  # seconds until a process that nobody tells of is tried again


class Follower:
    """Keeps `router` in step with the routes in the store, and says there how far it came.

    `accepts` tries to connect to a backend. A route that is broken, or that the router refuses, stays as it was and
    stops no other.
    """

    def __init__(
        self, store, router, node: str, accepts: Callable[["api.Backend"], bool], clock: Callable[[], float]
    ) -> None:
        self._store, self._router, self._node, self._accepts, self._clock = store, router, node, accepts, clock
        self._applied: dict[str, api.Route] = {}
        self._state: dict[str, str] = {}  # app -> digest of the document that is applied
        self._refused: dict[str, str] = {}  # app -> digest and reason
        self._known: dict[str, api.Backend] = {}  # by process
        self._probed: dict[api.Backend, tuple[float, bool]] = {}
        self._said: dict = {}
        self._renewed = -RENEW

    def look(self) -> None:
        """Apply what has changed. Raises errors.Unavailable when the store or the router does not answer."""
        documents = texts(self._store, routing.FOLDER)
        running = processes(self._store)
        for path, text in documents.items():
            app = path.rpartition("/")[2].removesuffix(".toml")
            self._follow(app, text, running)
        wanted = {path.rpartition("/")[2].removesuffix(".toml") for path in documents}
        for app in set(self._router.routes()) - wanted:
            self._router.remove(app)
            self._applied.pop(app, None)
        self._state = {app: state for app, state in self._state.items() if app in wanted}
        self._refused = {app: said for app, said in self._refused.items() if app in wanted}
        self._tell()

    def _follow(self, app: str, text: str, running: dict[str, "api.Process"]) -> None:
        try:
            route = routing.from_document(app, tomllib.loads(text))
            found = routing.backends(list(route.backends), running, self._known, self._probe)
            self._known |= {one.process: one for one in found if one.process}
            route = routing.with_backends(route, found)
            if self._applied.get(app) != route:
                self._router.apply(route)
                self._applied[app] = route
            self._state[app] = routing.digest(text)
            self._refused.pop(app, None)
        except (api.errors.BadConfig, api.errors.InvalidFile, ValueError) as error:
            said = (
                error.message if isinstance(error, api.errors.MinipaasError) else f"its route cannot be read: {error}"
            )
            if self._refused.get(app) != f"{routing.digest(text)} {said}":
                api.output.warn(f"{app} is routed as before: {said}")
            self._refused[app] = f"{routing.digest(text)} {said}"

    def _probe(self, backend: "api.Backend") -> bool:
        at, found = self._probed.get(backend, (-PROBE_AGAIN, False))
        if self._clock() - at >= PROBE_AGAIN:
            found = self._accepts(backend)
            self._probed[backend] = (self._clock(), found)
        return found

    def _tell(self) -> None:
        """Publish what is applied, where that is new or a sign of life is due."""
        now = {"applied": self._state, "refused": self._refused}
        path = f"{FOLDER}/{self._node}"
        if now == self._said:
            if self._clock() - self._renewed < RENEW:
                return
            try:
                self._store.renew(path, TTL)
                self._renewed = self._clock()
                return
            except api.errors.NotFound:
                pass  # it expired while the store was away
        api.documents.write(self._store, path, now, ttl=TTL)
        self._said = {"applied": dict(self._state), "refused": dict(self._refused)}
        self._renewed = self._clock()


def processes(store) -> dict[str, "api.Process"]:
    """All processes that the nodes tell of, by name. A document that is no node's is passed over."""
    found = {}
    for path, text in texts(store, api.service.FOLDER).items():
        name = path.rpartition("/")[2]
        try:
            found[name] = api.service.from_document(name, tomllib.loads(text))
        except (api.errors.InvalidFile, ValueError) as error:
            api.output.warn(f"{path} is passed over: {error}")
    return found


def texts(store, folder: str) -> dict[str, str]:
    """The documents below a folder by path; those that are no text are passed over."""
    try:
        return {path: found.text for path, found in store.read_all(folder).documents.items()}
    except api.errors.BadConfig:
        pass
    found = {}
    for path in store.list(folder):
        try:
            found[path] = store.read(path).text
        except (api.errors.BadConfig, api.errors.NotFound) as error:
            api.output.warn(f"{path} is passed over: {error}")
    return found
