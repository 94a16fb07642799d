"""The way from a head to the docker of this node: TLS in which both sides show a certificate of the cluster.

Whoever comes in is root on this node, as docker's socket makes anybody. So nothing is read before the handshake is
done, and the cluster's own authority signs nothing but these certificates.
"""

import contextlib
import ssl
from collections.abc import Callable

PORT = 7390
SERVER = "minipaas-agent"  # the name in the certificate of every agent
HEAD = "minipaas-head"  # ... and of every head
HANDSHAKE = 10.0  # seconds
CHUNK = 1 << 16
SIZE = 4
"""Bytes before each piece in either direction, its length; 0 ends that direction, which TLS itself cannot tell."""


def context(server: bool, ca: str, cert: str, key: str) -> ssl.SSLContext:
    """How a side of the door shakes hands; `ca`, `cert` and `key` are files. Raises OSError, ssl.SSLError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(ca)
    made.load_cert_chain(cert, key)
    return made


def is_head(certificate: dict | None) -> bool:
    """Whether the peer's certificate (ssl.SSLSocket.getpeercert) is a head's."""
    names = [value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "DNS"]
    return HEAD in names


def serve(address: str, tls: Callable[[], ssl.SSLContext], socket_path: str, port: int = PORT):
    """A gevent server that joins everyone who shows a head's certificate to docker's socket; start() it.

    `tls` is asked for each who comes in.
    """
    from gevent import socket

    def attend(inside) -> None:
        with socket.socket(socket.AF_UNIX) as docker:
            docker.connect(socket_path)
            splice(inside, docker)

    return listen(address, port, tls, attend)


def listen(address: str, port: int, tls: Callable[[], ssl.SSLContext], attend):
    """A gevent server that calls `attend` with each connection that shows a head's certificate; start() it."""
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
            size = int.from_bytes(_exactly(inside, SIZE))
            if not size:  # docker's attach goes on in the other direction
                docker.shutdown(socket.SHUT_WR)
                return
            while size:
                part = inside.recv(min(size, CHUNK))
                if not part:
                    raise OSError("cut short")
                docker.sendall(part)
                size -= len(part)
    with contextlib.suppress(OSError):
        docker.shutdown(socket.SHUT_RDWR)


def _outward(docker, inside) -> None:
    with contextlib.suppress(OSError):
        while data := docker.recv(CHUNK):
            inside.sendall(len(data).to_bytes(SIZE) + data)
        inside.sendall(bytes(SIZE))


def _exactly(source, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = source.recv(count - len(data))
        if not part:
            raise OSError("cut short")
        data += part
    return data
