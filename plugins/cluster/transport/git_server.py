"""The git repositories of this head for the other heads of the cluster.

Each connection is one fetch: a head shows its certificate, says the name of an app on a line, and then speaks with
git-upload-pack, which only reads. Whoever has that certificate is root on the nodes and reads all of the store, so
nothing is kept from it here either.
"""

import contextlib
import os
import re

from minipaas_lib import api
from plugins.cluster.transport import protocol, tls_server

NAME_LIMIT = 100  # bytes of the line
PATIENCE = 60  # seconds that git waits for the other side


def serve(address: str, tls, port: int = protocol.HEAD_PORT):
    """A gevent server of that; start() it."""
    return tls_server.listen(address, port, tls, answer)


def answer(inside) -> None:
    """Answer one head."""
    import subprocess

    from gevent import socket

    folder = repository(_line(inside))
    if not folder:
        return
    ours, gits = socket.socketpair()
    # Commits of releases are hidden from people; another head wants just them.
    words = ["git", "-c", "transfer.hideRefs=!refs/minipaas", "upload-pack", f"--timeout={PATIENCE}", folder]
    child = subprocess.Popen(
        words, stdin=gits.fileno(), stdout=gits.fileno(), stderr=subprocess.DEVNULL, env=_environment()
    )
    gits.close()
    try:
        with contextlib.closing(ours):
            _pass_on(inside, ours)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def repository(name: str) -> str:
    """The folder of an app's repository; empty for what is no app's name, or has none."""
    if not re.fullmatch(api.names.APP_NAME, name):
        return ""
    folder = api.paths.repository(name)
    return folder if os.path.isdir(os.path.join(folder, "objects")) else ""


def _line(inside) -> str:
    line = b""
    with contextlib.suppress(OSError):
        while not line.endswith(b"\n") and len(line) < NAME_LIMIT:
            byte = inside.recv(1)
            if not byte:
                return ""
            line += byte
    return line.decode("ascii", "replace").removesuffix("\n")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def _pass_on(inside, ours) -> None:
    """Until git has nothing more to say."""
    import socket

    import gevent

    def inward() -> None:
        with contextlib.suppress(OSError):
            while data := inside.recv(protocol.CHUNK):
                ours.sendall(data)
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_WR)

    asking = gevent.spawn(inward)
    try:
        with contextlib.suppress(OSError):
            while data := ours.recv(protocol.CHUNK):
                inside.sendall(data)
    finally:
        asking.kill()
