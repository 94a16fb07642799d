"""cluster:remove: make a machine no node any more, whether it still works or is dead for good; and take that back."""

import contextlib
import time

from minipaas_lib import api
from plugins.cluster import active_engine, names
from plugins.cluster.engine import Machine, Machines
from plugins.cluster.head import init, node_drain, node_image_delivery, node_registry, rolling_upgrade
from plugins.cluster.head.node_registry import named

CLEAN = "minipaas-clean"
EMPTY = 90.0  # seconds until fleet must have ended our units on a machine; it tells of them for up to 30 more
CLEANED = 300.0  # seconds that removing our containers and images there may take
BACK = 40.0  # seconds until fleet tells of the units on the other machines again: it forgets them all for one
LINE = (
    "docker rm -f minipaas-agent minipaas-router >/dev/null 2>&1; "
    "docker ps -aq --filter label=minipaas.app | xargs -r docker rm -f; "
    "{ docker images -q --no-trunc --filter label=minipaas.app; docker images -q --no-trunc minipaas-node; } "
    "| sort -u | xargs -r docker rmi -f; "
    "docker volume rm -f minipaas-nginx minipaas-run minipaas-log; docker network rm minipaas >/dev/null 2>&1; "
    # a machine may be a head too
    "[ -e /var/lib/minipaas/cluster.toml ] || [ -e /var/lib/minipaas/state ] || rm -rf /var/lib/minipaas; "
    "systemctl reset-failed 'minipaas-*' '*_v*.*.*'; true"
)
"""What takes everything of ours from a machine. Images that an app took from elsewhere bear no mark, and stay."""


def remove(text: str) -> str:
    """Make a machine no node any more; its name. A lost one is only forgotten. Repeatable.

    Raises errors.NotFound, errors.UsageError for the last node, errors.Unavailable.
    """
    machines = active_engine.scheduler().machines
    gone = [one for one in node_registry.lost(machines.all()) if one.name == text or one.id.startswith(text)]
    here = [one for one in machines.all() if named(one) == text or one.id.startswith(text)]
    if len(gone) + len(here) > 1:
        ids = " ".join(id[:8] for id in [*(one.id for one in here), *(one.id for one in gone)])
        raise api.errors.UsageError(f"{api.names.safe(text)} can mean {len(gone) + len(here)} nodes", f"one of: {ids}")
    if not gone:
        machine = node_drain.find(text)
        if machine not in machines.expelled():
            _check_others(machines, machine.id)
            node_drain.drain(machine)
        _expel(machines, machine)
        _forget(machines, machine.id)
        return named(machine)
    _check_others(machines, gone[0].id)
    _wait(lambda: gone[0].id not in _placed(), EMPTY, f"fleet to move the processes of {gone[0].name}")
    machines.expel(gone[0].id)
    _forget(machines, gone[0].id)
    return gone[0].name


def _check_others(machines: Machines, id: str) -> None:
    if not {one.id for one in machines.members()} - {id}:
        raise api.errors.UsageError("it is the last node", "cluster:leave")


def _placed() -> set[str]:
    return {process.node for process in api.scheduler().processes()}


def _expel(machines: Machines, machine: Machine) -> None:
    """End our units on a machine that fleet hears of, and clean it."""
    machines.expel(machine.id)
    api.output.step(f"Stopping the router and the agent of {named(machine)}")
    units = [name for name, _ in init.UNITS]
    _wait(lambda: all(machine.id not in machines.outcomes(unit) for unit in units), EMPTY, "them to end")
    api.output.step(f"Removing the containers and images of minipaas from {named(machine)}")
    machines.once(CLEAN, LINE, only=machine.id)
    try:
        _wait(
            lambda: machines.outcomes(CLEAN).get(machine.id) in ("done", "failed"),
            CLEANED,
            f"that node to clean up (see there: journalctl -u {CLEAN})",
        )
    finally:
        machines.remove(CLEAN)
    others = {one.id for one in machines.members()}
    with contextlib.suppress(api.errors.Unavailable):  # then cluster:status says what is missing
        _wait(lambda: all(others <= machines.outcomes(unit).keys() for unit in units), BACK, "the others")


def _forget(machines: Machines, id: str) -> None:
    """Take a node out of the store, the mark of drain:cluster too; that it is no node stays marked."""
    store = api.kernel.store()
    machines.mark(id, names.MARK, None)
    with contextlib.suppress(api.errors.NotFound):
        store.delete(f"routers/{id}")
    for path, document in store.read_all("services").documents.items():
        if f'"{id}"' in document.text:
            with contextlib.suppress(api.errors.NotFound):
                store.delete(path)
    node_drain.forget(id)
    api.kernel.documents.edit(store, node_registry.NODES, lambda document: document.pop(id, None), create=True)


def bring_back(machine: Machine) -> None:
    """Make a machine that was removed a node again, with what the others have. Raises errors.Unavailable."""
    cluster, machines = active_engine.settings(), active_engine.scheduler().machines
    name = rolling_upgrade.wanted(api.kernel.store())
    api.output.step(f"Sending the image of minipaas to {named(machine)}")
    active_engine.scheduler().have_image(name)
    machines.join(machine.id)
    node_image_delivery.bring(machines, name, node_image_delivery.own_address(cluster.etcd))
    init.wait_for_routers(api.kernel.store(), machines)
    rolling_upgrade.done(api.kernel.store(), [machine.id])
    node_registry.note(api.kernel.store(), [machine])


def _wait(done, limit: float, what: str) -> None:
    """Raises errors.Unavailable."""
    end = time.monotonic() + limit
    while not done():
        if time.monotonic() > end:
            raise api.errors.Unavailable(f"waited {limit:.0f} seconds for {what}", "repeat the command")
        time.sleep(1)
