"""Before a unit stops its container: if fleet is moving the process, wait until it runs in its new place.

fleet stops a unit on one machine while another only begins to start it. Where etcd was without quorum for longer than
fleet's TTL, it does so to many units at once, which could be all processes of an app.
"""

import contextlib
import socket
import time
from collections.abc import Callable

from minipaas_lib import api
from plugins.cluster.fleet import client, units

SETTLE = 2.0  # seconds in which the routers hear of the new place
PAUSE = 0.5  # seconds between two looks
CONNECT_TIMEOUT = 2.0  # seconds


def wait(
    look: Callable[[], tuple[client.Unit | None, "api.Process | None"]],
    here: str,
    accepts: Callable[["api.Process"], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Return when the process may be stopped on the machine `here`; whether it runs elsewhere by then.

    `look` returns its unit and what is told of it. At once where it is not being moved: it was destroyed or stopped, or
    belongs here. Raises what `look` raises at first: where nobody can say, as at a shutdown, there is no waiting.
    """
    end = clock() + units.HAND_OVER
    unit, told = look()
    while is_moved(unit, here):
        if told is not None and runs_elsewhere(told, here) and accepts(told):
            sleep(SETTLE)
            return True
        if clock() >= end:
            return False
        sleep(PAUSE)
        with contextlib.suppress(api.errors.Unavailable):  # etcd has only just come back
            unit, told = look()
    return False


def is_moved(unit: client.Unit | None, here: str) -> bool:
    """Whether fleet is to run the unit on another machine than `here`, or on one that it still has to choose."""
    return unit is not None and unit.desired == client.LAUNCHED and unit.machine != here


def runs_elsewhere(told: "api.Process | None", here: str) -> bool:
    """Whether another machine tells that it runs the process."""
    return told is not None and told.node != here and told.state == "running"


def accepts(process: "api.Process") -> bool:
    """Whether a port of the process takes a connection; one without ports counts as ready."""
    for _, port in process.ports:
        try:
            socket.create_connection((process.address, port), timeout=CONNECT_TIMEOUT).close()
            return True
        except OSError:
            continue
    return not process.ports
