"""After an upgrade: the router and the agent of one node after the other run the new image of minipaas.

The units name an image that each node has its own idea of, so that they stay as they are and fleet does not start all
of them anew at the same moment.
"""

import secrets
import time
from collections.abc import Iterable

from minipaas_lib import api
from plugins.cluster import names
from plugins.cluster.engine import Machine, Machines
from plugins.cluster.head import node_registry
from plugins.cluster.head.node_image import CURRENT
from plugins.cluster.names import AGENT, ROUTER

UNIT = "minipaas-upgrade"
LIMIT = 120.0  # seconds that one node may take
DRAIN = 5  # seconds that a router has for what it is answering; meanwhile it takes no new connections
# What one node runs, as root. 7 is how curl says that nothing takes its connection: any answer at all is good.
LINE = f"""\
want=$(docker image inspect -f '{{{{.Id}}}}' {CURRENT}) || exit 1; \
runs() {{ [ "$(docker inspect -f '{{{{.Image}}}} {{{{.State.Running}}}}' $1 2>/dev/null)" = "$want true" ]; }}; \
runs {ROUTER} || {{ docker kill -s QUIT {ROUTER}; timeout {DRAIN} docker wait {ROUTER}; \
systemctl restart {ROUTER}; }}; \
until runs {ROUTER}; do sleep 0.2; done; \
code=7; until [ $code != 7 ]; do sleep 0.2; code=0; curl -s -o /dev/null -m 5 http://127.0.0.1/ || code=$?; done; \
runs {AGENT} || systemctl restart {AGENT}; \
until runs {AGENT}; do sleep 0.2; done"""


def note(store, name: str, base: str) -> None:
    """Note which image the nodes are to run. None of them does yet, unless it is what they had to run before."""
    known = _noted(store)
    if known.get("name") != name:
        api.kernel.documents.write(store, names.IMAGE, {"name": name, "base": base, "done": []})


def base(store) -> str:
    """What the image that nodes are to run was made from; empty before there is one."""
    return str(_noted(store).get("base", ""))


def wanted(store) -> str:
    """The name of the image that nodes are to run. Raises errors.NotFound before there is one."""
    return str(api.kernel.documents.read(store, names.IMAGE)["name"])


def done(store, ids: list[str]) -> None:
    """Note that these machines run it."""

    def edit(document) -> None:
        document["done"] = sorted({*document.get("done", []), *ids})

    api.kernel.documents.edit(store, names.IMAGE, edit)


def behind(store, machines: Iterable[Machine]) -> list[Machine]:
    """Those of the machines that may run another image still."""
    there = _noted(store).get("done", [])
    return [machine for machine in machines if machine.id not in there]


def roll(store, machines: Machines) -> None:
    """Have every node run what it was brought, one after the other.

    Raises errors.Unavailable with one that does not.
    """
    for machine in behind(store, machines.members()):
        api.output.step(f"Upgrading {node_registry.named(machine)} to this minipaas")
        # With a word of its own: fleet tells of a former unit of that name for a while.
        machines.once(UNIT, f": {secrets.token_hex(4)}; {LINE}", only=machine.id)
        try:
            _wait(machines, machine)
        finally:
            machines.remove(UNIT)
        done(store, [machine.id])


def _wait(machines: Machines, machine: Machine) -> None:
    end = time.monotonic() + LIMIT
    while (outcome := machines.outcomes(UNIT).get(machine.id)) != "done":
        if outcome == "failed" or time.monotonic() > end:
            name = node_registry.named(machine)
            raise api.errors.Unavailable(
                f"{name} does not run this minipaas; the nodes after it still run the previous one",
                f"on that node: journalctl -u {UNIT} -u {ROUTER} -u {AGENT}, then again: cluster:init",
            )
        time.sleep(0.5)


def _noted(store) -> dict:
    try:
        return api.kernel.documents.read(store, names.IMAGE)
    except api.errors.NotFound:
        return {}
