"""The router of a head, which is no node: it follows the cluster's routes as every router does, while it is a head."""

import contextlib
import os
import time

import gevent
from gevent.event import Event

from minipaas_lib import api
from plugins.node import agent, following, routing

LOOK = 1.0  # seconds between two looks whether this host still belongs to the cluster in the same way
LOCK = "follow.lock"  # in the cache folder: held by the one process that follows


def serve() -> None:
    """Follow the routes until this host leaves the cluster; at once nothing where somebody does so already."""
    import fcntl

    os.makedirs(api.paths.cache(), mode=0o700, exist_ok=True)
    with open(api.paths.cache(LOCK), "a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        _follow(api.cluster.settings())


def _follow(found: "api.cluster.ClusterSettings") -> None:
    name = f"head-{api.caller.host()}"
    store = api.open_cluster(found, quorum=False)
    follower = following.Follower(store, api.router().local, name, agent.accepts, time.monotonic)
    stale = Event()
    parts = [
        gevent.spawn(agent.again, "watching the routes", lambda: agent.watch(store, routing.FOLDER, stale)),
        gevent.spawn(agent.again, "watching the processes", lambda: agent.watch(store, api.service.FOLDER, stale)),
        gevent.spawn(agent.again, "following the routes", lambda: agent.follow(follower, stale)),
    ]
    while api.cluster.settings() == found:
        gevent.sleep(LOOK)
    gevent.killall(parts, timeout=60)  # not between two files of nginx
    with contextlib.suppress(api.errors.MinipaasError):  # it expires anyway
        store.delete(f"{following.FOLDER}/{name}")
