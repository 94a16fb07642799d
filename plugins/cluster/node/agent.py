"""The agent: what a node does by itself. Every part goes on when another fails, and tries again.

It has gevent's patches from its first import on, and uses nothing of `sh`, which does not live with them.
"""

import time

import gevent
from gevent.event import Event

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.node import container_gc, log_rotation, service_registry
from plugins.cluster.routes import reachability, route_document, route_reconciler
from plugins.cluster.transport import docker_tls_server, identity

PAUSE = 1.0  # seconds after a failure
FULL_LOOK = 180.0  # seconds between two looks at all containers: docker's events tell what changes between
RENEWAL = 5.0  # seconds between two looks at what has to be renewed or probed
SWEEP = 20.0  # seconds
CATCH_UP = 600.0  # seconds between two looks at what other nodes keep; one is due when the agent starts
CATCH_UP_AGAIN = 60.0  # seconds until the next one where that failed
DOCKER = "/var/run/docker.sock"
LOGS = "/var/log/nginx"  # shared with the router


def serve(node: str, address: str, files, wanted) -> None:
    """Work as the agent of `node`, for ever. `address` is its IP address in the cluster; `files` makes files of
    the texts of certificates (ca, cert, key); `wanted` says which processes the cluster is to run.
    """
    found = api.cluster.settings()
    if found is None:
        raise api.errors.BadConfig("this machine belongs to no cluster", "cluster:init")
    store = api.open_cluster(found, quorum=False)
    scheduler = active_engine.scheduler().local.elsewhere("", address, node)
    publisher = service_registry.Publisher(store, scheduler, node, time.monotonic)
    follower = route_reconciler.Follower(store, active_engine.router().local, node, accepts, time.monotonic)
    sweeper = container_gc.Sweeper(scheduler, wanted, time.monotonic)
    stale, told, heard = Event(), Event(), Heard()
    known = identity.Identity(lambda: api.documents.read(store, identity.KEYS), files)
    docker_tls_server.serve(address, known.context, DOCKER).start()
    gevent.joinall(
        [
            gevent.spawn(again, "docker's events", lambda: _hear(scheduler, heard)),
            gevent.spawn(again, "telling of what has changed", lambda: _answer(heard, publisher)),
            gevent.spawn(again, "telling of the processes", lambda: _every(FULL_LOOK, publisher.look)),
            gevent.spawn(again, "renewing", lambda: _every(RENEWAL, publisher.renew)),
            gevent.spawn(again, "watching the routes", lambda: watch(store, route_document.FOLDER, stale)),
            gevent.spawn(again, "watching the processes", lambda: watch(store, api.service.FOLDER, stale, told)),
            gevent.spawn(again, "settling who runs what", lambda: _settle(publisher, told)),
            gevent.spawn(again, "following the routes", lambda: follow(follower, stale)),
            gevent.spawn(again, "reaching other nodes", lambda: reach(follower, stale)),
            gevent.spawn(again, "sweeping", lambda: _every(SWEEP, sweeper.look)),
            gevent.spawn(again, "turning logs over", _turn_over),
            gevent.spawn(again, "catching up on images", _catch_up),
        ],
        raise_error=True,
    )


def accepts(backend: "api.Backend") -> bool:
    """Whether any port of a backend takes a connection now."""
    from gevent import socket

    for _, port in backend.ports:
        try:
            socket.create_connection((backend.address, port), timeout=2).close()
            return True
        except OSError:
            continue
    return False


def again(what: str, part) -> None:
    """Run a part for ever; a failure is said once and again when it is another."""
    said = ""
    while True:
        try:
            part()
            said = ""
        except api.errors.MinipaasError as error:
            if error.message != said:
                said = error.message
                api.output.warn(f"{what}: {said}; trying again")
        except Exception as error:  # a fault of ours in one part must not end the others
            if repr(error) != said:
                said = repr(error)
                api.output.warn(f"{what} failed: {said}; trying again")
        gevent.sleep(PAUSE)


class Heard:
    """The apps that something has happened to. However much it was while one was looked at, one more look is due.

    None stands for all of them.
    """

    def __init__(self) -> None:
        self._apps: dict[str | None, None] = {}  # in the order in which they came
        self._some = Event()

    def add(self, app: str | None) -> None:
        self._apps[app] = None
        self._some.set()

    def attend(self, look) -> None:
        """Wait for an app, and look at it. What `look` raises is raised, and that app's turn comes again."""
        self._some.wait()
        app = next(iter(self._apps))
        del self._apps[app]
        try:
            look(app)
        except BaseException:
            self._apps[app] = None
            raise
        finally:
            if not self._apps:
                self._some.clear()


def _turn_over() -> None:
    reopen = active_engine.router().local.reopen_logs
    reopen()  # a former agent may have been killed before it did
    _every(log_rotation.LOOK, lambda: log_rotation.look(LOGS, time.time(), reopen))


def _catch_up() -> None:
    """In a process of its own: it is seldom, and loads what an agent has no use for."""
    import subprocess

    while True:
        done = subprocess.run([api.paths.program(), "node:catch-up"], stdin=subprocess.DEVNULL)  # it says what it does
        gevent.sleep(CATCH_UP_AGAIN if done.returncode else CATCH_UP)


def _hear(scheduler, heard: Heard) -> None:
    heard.add(None)  # whatever happened while nobody listened
    for app in scheduler.changes():
        heard.add(app)


def _answer(heard: Heard, publisher: service_registry.Publisher) -> None:
    while True:
        heard.attend(publisher.look)


def _every(seconds: float, look) -> None:
    while True:
        look()
        gevent.sleep(seconds)


def _settle(publisher: service_registry.Publisher, told: Event) -> None:
    while True:
        told.wait()
        told.clear()
        publisher.settle()


def watch(store, folder: str, *stale: Event) -> None:
    """Set all of `stale` at once and whenever something below the folder changes."""
    token = store.watch(folder)
    while True:
        for event in stale:
            event.set()
        newer = None
        while newer is None:
            newer = store.watch(folder, token)
        token = newer


def reach(follower: route_reconciler.Follower, stale: Event) -> None:
    """Have the follower look again when other backends are out of reach than before."""
    while True:
        lost = reachability.lost(follower.candidates(), reachability.silent, accepts)
        if lost != follower.lost:
            follower.lost = lost
            stale.set()
        gevent.sleep(RENEWAL)


def follow(follower: route_reconciler.Follower, stale: Event) -> None:
    while True:
        stale.wait(RENEWAL)
        stale.clear()
        follower.look()
