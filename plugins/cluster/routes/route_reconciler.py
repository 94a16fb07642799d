"""Keeps a router in step with the cluster's routes: each app's route leads to its processes where they are now."""

import tomllib
from collections.abc import Callable

from minipaas_lib import api
from plugins.cluster.engine import LocalRouter
from plugins.cluster.routes import route_document

TTL = 60.0  # seconds that a router may be silent before a deploy no longer waits for it
RENEW = 20.0  # seconds between two signs of life
FOLDER = "routers"
PROBE_AGAIN = 5.0  # seconds until a process that nobody tells of is tried again


class Reconciler:
    """Keeps `router` in step with the routes in the store, and says there how far it came.

    `accepts` tries to connect to a backend. A route that is broken, or that the router refuses, stays as it was and
    stops no other. `lost` are the backends that are out of reach, as the agent finds from time to time: whatever is
    told of them, they get no requests while their app has others.
    """

    def __init__(
        self,
        store,
        router: LocalRouter,
        node: str,
        accepts: Callable[["api.Backend"], bool],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._router, self._node, self._accepts, self._clock = store, router, node, accepts, clock
        self._applied: dict[str, api.Route] = {}
        self._state: dict[str, str] = {}  # app -> digest of the document that is applied
        self._refused: dict[str, str] = {}  # app -> digest and reason
        self.lost: frozenset[api.Backend] = frozenset()
        self._known: dict[str, api.Backend] = {}  # by process, of those that a route names
        self._told: frozenset[api.Backend] = frozenset()
        self._probed: dict[api.Backend, tuple[float, bool]] = {}
        self._routes = Parsed(lambda path, text: route_document.from_document(_app(path), tomllib.loads(text)))
        self._services = Parsed(_process)
        self._said: dict = {}
        self._renewed = -RENEW
        self._platform_read = -RENEW

    def look(self) -> None:
        """Apply what has changed. Raises errors.Unavailable when the store or the router does not answer."""
        self._follow_platform()
        documents = texts(self._store, route_document.FOLDER)
        running = processes(self._store, self._services)
        self._told = frozenset(one.backend for one in running.values() if one.state == "running" and one.address)
        running = {name: one for name, one in running.items() if one.backend not in self.lost}
        self._routes.keep(documents)
        named = {name for path, text in documents.items() for name in self._follow(path, text, running)}
        self._known = {name: known for name, known in self._known.items() if name in named}
        wanted = {_app(path) for path in documents}
        for app in set(self._router.routes()) - wanted:
            self._router.remove(app)
            self._applied.pop(app, None)
        self._state = {app: state for app, state in self._state.items() if app in wanted}
        self._refused = {app: reason for app, reason in self._refused.items() if app in wanted}
        self._tell()

    def candidates(self) -> "frozenset[api.Backend]":
        """All backends that requests may go to, if they can be reached."""
        return self._told | frozenset(self._known.values())

    def _follow_platform(self) -> None:
        """What is set for all apps, where the router knows of such things; read seldom, since it seldom changes."""
        if self._clock() - self._platform_read < RENEW or not hasattr(self._router, "follow_platform"):
            return
        self._platform_read = self._clock()
        try:
            self._router.follow_platform(api.kernel.documents.read(self._store, "platform.toml"))
        except (api.errors.NotFound, api.errors.InvalidFile):
            pass  # nothing is set, or nobody can tell what
        except (api.errors.BadConfig, api.errors.Unavailable) as error:
            api.output.warn(f"the settings for all apps stay unchanged: {error.message}")

    def _follow(self, path: str, text: str, running: dict[str, "api.Process"]) -> list[str]:
        """The processes that the route names; none where it cannot be read."""
        app, names = _app(path), []
        try:
            route = self._routes.of(path, text)
            names = [one.process for one in route.backends]
            backends = route_document.backends(list(route.backends), running, self._known, self._probe)
            self._known |= {one.process: one for one in backends if one.process}
            route = route_document.with_backends(route, backends)
            if self._applied.get(app) != route:
                self._router.apply(route)
                self._applied[app] = route
            self._state[app] = route_document.digest(text)
            self._refused.pop(app, None)
        except api.errors.Unavailable:
            raise
        except Exception as error:  # whatever one app's document does to its reader, the others are followed
            reason = (
                error.message if isinstance(error, api.errors.MinipaasError) else f"its route cannot be read: {error}"
            )
            if self._refused.get(app) != f"{route_document.digest(text)} {reason}":
                api.output.warn(f"{app} keeps its previous route: {reason}")
            self._refused[app] = f"{route_document.digest(text)} {reason}"
        return names

    def _probe(self, backend: "api.Backend") -> bool:
        if backend in self.lost:
            return False
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
        api.kernel.documents.write(self._store, path, now, ttl=TTL)
        self._said = {"applied": dict(self._state), "refused": dict(self._refused)}
        self._renewed = self._clock()


class Parsed:
    """What `parse(path, text)` makes of documents, done once for as long as a document stays the same."""

    def __init__(self, parse: Callable[[str, str], object]) -> None:
        self._parse = parse
        self._known: dict[str, tuple[str, object]] = {}

    def of(self, path: str, text: str):
        """What the text of a document says. Raises what `parse` raises, each time."""
        known = self._known.get(path)
        if known is None or known[0] != text:
            known = self._known[path] = (text, self._parse(path, text))
        return known[1]

    def keep(self, paths) -> None:
        """Forget all documents but these."""
        self._known = {path: known for path, known in self._known.items() if path in paths}


def processes(store, parsed: Parsed | None = None) -> dict[str, "api.Process"]:
    """All processes that the nodes tell of, by name. A document that is no node's is passed over."""
    parsed = parsed or Parsed(_process)
    known, documents = {}, texts(store, api.kernel.service.FOLDER)
    parsed.keep(documents)
    for path, text in documents.items():
        try:
            process = parsed.of(path, text)
            known[process.name] = process
        except (api.errors.InvalidFile, ValueError) as error:
            api.output.warn(f"{path} is skipped: {error}")
    return known


def _process(path: str, text: str) -> "api.Process":
    return api.kernel.service.from_document(path.rpartition("/")[2], tomllib.loads(text))


def _app(path: str) -> str:
    """Whose route a document is."""
    return path.rpartition("/")[2].removesuffix(".toml")


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
            api.output.warn(f"{path} is skipped: {error}")
    return found
