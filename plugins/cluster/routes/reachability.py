"""Which processes are out of reach: a lost node refuses no connection, so requests would wait for one there.

Nodes say nothing for a minute before what they told expires, and fleet waits as long before it moves their processes.
"""

from collections.abc import Callable, Collection

from gevent import socket
from gevent.pool import Pool

from minipaas_lib import api

AT_ONCE = 50  # connections tried at the same time
PORT = 80  # where every router listens; that it refuses is an answer, too
TIMEOUT = 2.0  # seconds until no answer means that there is none


def silent(address: str) -> bool:
    """Whether the node at an IP address answers nothing at all."""
    try:
        socket.create_connection((address, PORT), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return False


def accepts(backend: "api.Backend") -> bool:
    """Whether any port of a backend takes a connection now."""
    for _, port in backend.ports:
        try:
            socket.create_connection((backend.address, port), timeout=TIMEOUT).close()
            return True
        except OSError:
            continue
    return False


def lost(
    backends: Collection["api.Backend"], silent: Callable[[str], bool], accepts: Callable[["api.Backend"], bool]
) -> frozenset["api.Backend"]:
    """Those of the backends that take no connection, at addresses that are `silent`; those elsewhere are not tried."""
    pool = Pool(AT_ONCE)
    addresses = sorted({backend.address for backend in backends})
    without = {address for address, found in zip(addresses, pool.map(silent, addresses), strict=True) if found}
    suspects = [backend for backend in backends if backend.address in without]
    taken = pool.map(accepts, suspects)
    return frozenset(backend for backend, found in zip(suspects, taken, strict=True) if not found)
