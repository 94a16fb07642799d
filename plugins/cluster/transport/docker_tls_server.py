"""docker on this node for heads: TLS in which both sides show a certificate of the cluster.

Whoever comes in is root on this node, as docker's socket makes anybody. So nothing is read before the handshake is
done, and the cluster's own authority signs nothing but these certificates.
"""

import contextlib
import ssl
from collections.abc import Callable

from plugins.cluster.transport import protocol, tls_server


def serve(address: str, tls: Callable[[], ssl.SSLContext], socket_path: str, port: int = protocol.AGENT_PORT):
    """A gevent server that joins everyone who shows a head's certificate to docker's socket; start() it.

    `tls` is asked for each who comes in.
    """
    from gevent import socket

    def attend(inside) -> None:
        with socket.socket(socket.AF_UNIX) as docker:
            docker.connect(socket_path)
            splice(inside, docker)

    return tls_server.listen(address, port, tls, attend)


def splice(inside, docker) -> None:
    """Pass on what comes from either side to the other, until both have ended."""
    import gevent

    back = gevent.spawn(_outward, docker, inside)
    try:
        _inward(inside, docker)
        back.join()
    finally:
        back.kill()


def _inward(inside, docker) -> None:
    """Frames from the head to docker; a head that has gone takes docker's side with it."""
    import socket

    with contextlib.suppress(OSError):
        while True:
            size = int.from_bytes(_exactly(inside, protocol.LENGTH))
            if not size:  # docker's attach goes on in the other direction
                docker.shutdown(socket.SHUT_WR)
                return
            while size:
                part = inside.recv(min(size, protocol.CHUNK))
                if not part:
                    raise OSError("cut short")
                docker.sendall(part)
                size -= len(part)
    with contextlib.suppress(OSError):
        docker.shutdown(socket.SHUT_RDWR)


def _outward(docker, inside) -> None:
    with contextlib.suppress(OSError):
        while data := docker.recv(protocol.CHUNK):
            inside.sendall(protocol.frame(data))
        inside.sendall(protocol.END)


def _exactly(source, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise OSError("cut short")
        data += part
    return data
