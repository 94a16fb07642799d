"""The router of all nodes and heads: a route is a document in the store, which each of their routers follows."""

import time
import tomllib

from minipaas_lib import api
from plugins.cluster.engine import LocalRouter
from plugins.cluster.routes import route_document, route_reconciler

PATIENCE = 30.0  # seconds until all routers must have taken up a route; reloading nginx takes a tenth
STEP = 0.05  # seconds between two looks


class ClusterWideRouter:
    """A ClusterRouter. `local` is the router of this host, which its agent works."""

    def __init__(self, local: LocalRouter, store, sleep=time.sleep) -> None:
        self.local, self._store, self._sleep = local, store, sleep

    def apply(self, route: "api.Route") -> None:
        path = route_document.path(route.app)
        former = self._text(path)
        route = route_document.with_backends(
            route_document.for_nodes(route), [self._placed(one, former) for one in route.backends]
        )
        api.kernel.documents.write(self._store, path, route_document.to_document(route))
        if route.withheld and not _takes_requests(former):
            return  # nothing waits for that: every router learns of whose the domains are when it comes to it
        wanted = route_document.digest(self._store.read(path).text)
        try:
            self._wait(route.app, wanted)
        except BaseException:
            self._put_back(path, former)
            raise

    def remove(self, app: str) -> None:
        if self._text(route_document.path(app)) is not None:
            self._store.delete(route_document.path(app))
        self._until(lambda state: app not in state.get("applied", {}), f"remove the route of {app}")

    def applied(self, app: str) -> str:
        """The generation that all routers have; empty where they differ."""
        text = self._text(route_document.path(app))
        if text is None or not all(
            state.get("applied", {}).get(app) == route_document.digest(text) for state in self.routers().values()
        ):
            return ""
        return route_document.from_document(app, tomllib.loads(text)).generation

    def routes(self) -> list[str]:
        return [name.removesuffix(".toml") for name in self._store.children(route_document.FOLDER)]

    def check(self, route: "api.Route | None" = None) -> None:
        if not self.routers():
            raise api.errors.Unavailable(
                "no router of the cluster is running, so nothing was changed", "cluster:status"
            )

    def placed(self, app: str) -> str:
        text = self._text(route_document.path(app))
        return route_document.from_document(app, tomllib.loads(text)).generation if text is not None else ""

    def warm(self) -> None:
        """Nothing is loaded here: the agents have it all."""

    def routers(self) -> dict[str, dict]:
        """What each living router has applied, by node."""
        states = {}
        for path, text in route_reconciler.texts(self._store, route_reconciler.FOLDER).items():
            try:
                states[path.rpartition("/")[2]] = tomllib.loads(text)
            except ValueError:
                api.output.warn(f"{path} is skipped: it is not the document of a router")
        return states

    def behind(self) -> dict[str, list[str]]:
        """By living router, the apps whose route, as it is now, it has not taken up."""
        wanted = {
            path: route_document.digest(text)
            for path, text in route_reconciler.texts(self._store, route_document.FOLDER).items()
        }
        return {
            router: [
                app
                for app in map(_app, wanted)
                if state.get("applied", {}).get(app) != wanted[route_document.path(app)]
            ]
            for router, state in self.routers().items()
        }

    def _placed(self, backend: "api.Backend", former: str | None) -> "api.Backend":
        """The backend with an address; where nobody tells of the process just now, the one it had in the last route."""
        if backend.address or former is None:
            return backend
        known = {one.process: one for one in route_document.from_document("", tomllib.loads(former)).backends}
        return known.get(backend.process, backend)

    def _wait(self, app: str, wanted: str) -> None:
        """Until every router has the route. Raises errors.BadConfig when one refuses it, errors.Unavailable."""

        def taken_up(state: dict) -> bool:
            refused, _, reason = state.get("refused", {}).get(app, "").partition(" ")
            if refused == wanted:
                raise api.errors.BadConfig(f"the route of {app} is refused: {reason}", f"nginx:report {app}")
            return state.get("applied", {}).get(app) == wanted

        self._until(taken_up, f"apply the route of {app}")

    def _until(self, done, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            routers = self.routers()
            late = [node for node, state in routers.items() if not done(state)]
            if routers and not late:
                return
            if time.monotonic() > end:
                message = (
                    f"{', '.join(late)} did not {what} within {PATIENCE:.0f} s"
                    if late
                    else "no router of the cluster is running"
                )
                raise api.errors.Unavailable(message, "cluster:status")
            self._sleep(STEP)

    def _put_back(self, path: str, former: str | None) -> None:
        if former is not None:
            self._store.write(path, former)
        else:
            try:
                self._store.delete(path)
            except api.errors.NotFound:
                pass

    def _text(self, path: str) -> str | None:
        try:
            return self._store.read(path).text
        except api.errors.NotFound:
            return None


def _takes_requests(former: str | None) -> bool:
    """Whether a route's document is of an app that is routed; of one that cannot be read nobody knows."""
    try:
        return former is not None and not route_document.from_document("", tomllib.loads(former)).withheld
    except (api.errors.InvalidFile, ValueError):
        return True


def _app(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".toml")
