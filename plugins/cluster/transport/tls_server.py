"""A server that lets in heads of the cluster and nobody else."""

import contextlib
import ssl
from collections.abc import Callable

from plugins.cluster.transport.tls import is_head

HANDSHAKE = 10.0  # seconds


def listen(address: str, port: int, tls: Callable[[], ssl.SSLContext], attend):
    """A gevent server that calls `attend` with each connection that shows a head's certificate; start() it.

    `tls` is asked for each who comes in.
    """
    import gevent
    from gevent.server import StreamServer

    def admit(connection, _) -> None:
        with contextlib.closing(connection):
            try:
                with gevent.Timeout(HANDSHAKE, OSError("no handshake")):
                    inside = tls().wrap_socket(connection, server_side=True)
            except OSError:
                return
            with contextlib.closing(inside):
                if is_head(inside.getpeercert()):
                    attend(inside)

    return StreamServer((address, port), admit, spawn=1000)
