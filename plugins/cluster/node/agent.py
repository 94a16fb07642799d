"""The agent: what a node does by itself. Every part goes on when another fails, and tries again.

It has gevent's patches from its first import on, and uses nothing of `sh`, which does not live with them.
"""

import time

import gevent
from gevent.event import Event

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.engine import LocalScheduler
from plugins.cluster.node import container_gc, log_rotation, service_registry
from plugins.cluster.routes import loops, reachability, route_document, route_reconciler
from plugins.cluster.transport import docker_tls_server, identity

FULL_LOOK = 180.0  # seconds between two looks at all containers: docker's events tell what changes between
COLLECTION = 20.0  # seconds between two looks at containers that nobody wants any more
CATCH_UP = 600.0  # seconds between two looks at what other nodes keep; one is due when the agent starts
CATCH_UP_AGAIN = 60.0  # seconds until the next one where that failed
DOCKER = "/var/run/docker.sock"
LOGS = "/var/log/nginx"  # shared with the router


def serve(node: str, address: str, files, wanted) -> None:
    """Work as the agent of `node`, for ever. `address` is its IP address in the cluster; `files` makes files of
    the texts of certificates (ca, cert, key); `wanted` says which processes the cluster is to run.
    """
    cluster = api.kernel.cluster.settings()
    if cluster is None:
        raise api.errors.BadConfig("this machine belongs to no cluster", "cluster:init")
    store = api.kernel.open_cluster(cluster, quorum=False)
    scheduler = active_engine.scheduler().local.elsewhere("", address, node)
    publisher = service_registry.Publisher(store, scheduler, node, time.monotonic)
    reconciler = route_reconciler.Reconciler(
        store, active_engine.router().local, node, reachability.accepts, time.monotonic
    )
    collector = container_gc.Collector(scheduler, wanted, time.monotonic)
    stale, told, heard = Event(), Event(), Heard()
    known = identity.Identity(lambda: api.kernel.documents.read(store, identity.KEYS), files)
    docker_tls_server.serve(address, known.context, DOCKER).start()
    parts = {
        "docker's events": lambda: _hear(scheduler, heard),
        "publishing what has changed": lambda: _answer(heard, publisher),
        "publishing the processes": lambda: _every(FULL_LOOK, publisher.look),
        "renewing": lambda: _every(loops.RENEWAL, publisher.renew),
        "watching the routes": lambda: loops.watch(store, route_document.FOLDER, stale),
        "watching the processes": lambda: loops.watch(store, api.kernel.service.FOLDER, stale, told),
        "settling who runs what": lambda: _settle(publisher, told),
        "following the routes": lambda: loops.follow(reconciler, stale),
        "reaching other nodes": lambda: loops.reach(reconciler, stale),
        "removing containers": lambda: _every(COLLECTION, collector.look),
        "rotating logs": _rotate_logs,
        "catching up on images": _catch_up,
    }
    gevent.joinall([gevent.spawn(loops.keep_running, *part) for part in parts.items()], raise_error=True)


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


def _rotate_logs() -> None:
    reopen = active_engine.router().local.reopen_logs
    reopen()  # a former agent may have been killed before it did
    _every(log_rotation.LOOK, lambda: log_rotation.rotate(LOGS, time.time(), reopen))


def _catch_up() -> None:
    """In a process of its own: it is seldom, and loads what an agent has no use for."""
    import subprocess

    while True:
        done = subprocess.run([api.paths.program(), "node:catch-up"], stdin=subprocess.DEVNULL)  # it says what it does
        gevent.sleep(CATCH_UP_AGAIN if done.returncode else CATCH_UP)


def _hear(scheduler: LocalScheduler, heard: Heard) -> None:
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
