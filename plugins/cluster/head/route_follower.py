"""Keeps a head, which is no node, in step with the cluster: its nginx with the routes, its commits with other heads."""

import contextlib
import os
import time

import gevent
from gevent.event import Event

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.head import follower_process
from plugins.cluster.routes import loops, reachability, route_document, route_reconciler
from plugins.cluster.transport import git_server, identity

SETTLE = 2.0  # seconds after a change
LOOK = 1.0  # seconds between two looks whether this host still belongs to the cluster in the same way
CATCH_UP = "cluster:catch-up"  # the command that brings this host what another head has changed


def serve() -> None:
    """Follow the routes until this host leaves the cluster; at once nothing where somebody does so already."""
    import fcntl

    os.makedirs(api.paths.cache(), mode=0o700, exist_ok=True)
    with open(api.paths.cache(follower_process.LOCK), "a", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        cluster = api.kernel.cluster.settings()
        if cluster is None or _follow(cluster):
            return
    program = api.paths.program()  # it was upgraded: the lock is free, and the new one takes our place
    os.execv(program, [program, *follower_process.COMMAND])


def _version() -> tuple[int, int]:
    """What tells one installed program from the next."""
    try:
        status = os.stat(api.paths.source())
    except OSError:  # just being replaced
        return (0, 0)
    return (status.st_ino, status.st_mtime_ns)


def _follow(cluster: "api.kernel.cluster.ClusterSettings") -> bool:
    """True when this host has left the cluster, or moves apps; False when the program is another one by now."""
    name = f"head-{api.caller.host()}"
    store = api.kernel.open_cluster(cluster, quorum=False)
    reconciler = route_reconciler.Reconciler(
        store, active_engine.router().local, name, reachability.accepts, time.monotonic
    )
    stale = Event()
    parts = {
        "watching the routes": lambda: loops.watch(store, route_document.FOLDER, stale),
        "watching the processes": lambda: loops.watch(store, api.kernel.service.FOLDER, stale),
        "following the routes": lambda: loops.follow(reconciler, stale),
        "reaching the nodes": lambda: loops.reach(reconciler, stale),
        "serving commits": lambda: _serve_commits(store),
        "watching the releases": lambda: _catch_up(store, "apps"),
        "watching the keys": lambda: _catch_up(store, "users", "--keys"),
    }
    running = [gevent.spawn(loops.keep_running, *part) for part in parts.items()]
    begun = _version()
    while api.kernel.cluster.settings() == cluster and _version() in (begun, (0, 0)):
        gevent.sleep(LOOK)
    gevent.killall(running, timeout=60)  # not between two files of nginx
    if api.kernel.cluster.settings() == cluster:
        return False
    with contextlib.suppress(api.errors.MinipaasError):  # it expires anyway
        store.delete(f"{route_reconciler.FOLDER}/{name}")
    return True


def _serve_commits(store) -> None:
    """Let other heads fetch from the repositories here. Raises errors.NotFound until this head is noted as one."""
    address = str(api.kernel.documents.read(store, f"cluster/heads/{api.caller.host()}.toml")["address"])
    known = identity.Identity(lambda: api.kernel.documents.read(store, identity.KEYS), identity.files_of)
    git_server.serve(address, known.context).serve_forever()


def _catch_up(store, folder: str, *words: str) -> None:
    """Have this host get what changes in the folder, whichever head changed it; all of it to begin with."""
    import subprocess

    token = store.watch(folder)
    while True:
        if len(store.children("cluster/heads")) > 1:
            done = subprocess.run(
                [api.paths.program(), CATCH_UP, *words], stdin=subprocess.DEVNULL, capture_output=True
            )
            if done.returncode:
                message = done.stderr.decode(errors="replace").strip()[-300:]
                raise api.errors.Unavailable(f"changes of other heads have not arrived yet: {message}")
        newer = None
        while newer is None:
            newer = store.watch(folder, token)
        token = newer
        gevent.sleep(SETTLE)  # a deploy changes many documents
