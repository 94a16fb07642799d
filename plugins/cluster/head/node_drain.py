"""cluster:drain: have nothing run on a node, so that it can be shut down, changed or taken away."""

from minipaas_lib import api
from plugins.cluster import active_engine, names
from plugins.cluster.engine import Machine
from plugins.cluster.head import migration


def drained() -> set[str]:
    """The ids of drained nodes."""
    try:
        return set(api.kernel.documents.read(api.kernel.store(), names.DRAINED).get("nodes", []))
    except api.errors.NotFound:
        return set()


def find(text: str) -> Machine:
    """The machine that is meant by a node's name or the start of its id. Raises errors.NotFound, errors.UsageError."""
    there = active_engine.scheduler().machines.all()
    matches = [m for m in there if m.metadata.get("node") == text] or [m for m in there if m.id.startswith(text)]
    if len(matches) == 1:
        return matches[0]
    known = " ".join(machine.metadata.get("node", machine.id[:8]) for machine in there) or "none"
    if matches:
        raise api.errors.UsageError(f"{api.names.safe(text)} can mean {len(matches)} nodes", f"one of: {known}")
    raise api.errors.NotFound(f"fleet knows no node {api.names.safe(text)}", f"there are: {known}")


def drain(machine: Machine) -> None:
    """Nothing new is started there from now on, and what runs there starts elsewhere before it ends there."""
    machines, name = active_engine.scheduler().machines, machine.metadata.get("node", machine.id[:8])
    there = machines.members()
    if not {one.id for one in there} - drained() - {machine.id}:
        raise api.errors.UsageError(
            f"{name} is the last node that is not drained", "bring another one back first: cluster:undrain <node>"
        )
    for one in there:
        if one.metadata.get(names.MARK) != one.id:
            machines.mark(one.id, names.MARK, one.id)
    _note(lambda nodes: nodes | {machine.id})
    for app in _apps_on(machine.id):
        api.output.step(f"Moving {app}")
        api.change(app, f"moved from {name}", force=True)
    migration.wait_until_gone(lambda process: process.node == machine.id, f"the processes on {name}")


def undrain(machine: Machine) -> None:
    """Processes may be started there again."""
    forget(machine.id)


def forget(id: str) -> None:
    """Take a machine, which may be lost, from those that are drained."""
    _note(lambda nodes: nodes - {id})


def _apps_on(node: str) -> list[str]:
    going = {app: api.kernel.retiring(app) for app in api.app_names()}
    apps = {
        process.app
        for process in api.scheduler().processes()
        if process.node == node and process.name not in going.get(process.app, ())
    }
    return sorted(apps)


def _note(change) -> None:
    def edit(document) -> None:
        document["nodes"] = sorted(change(set(document.get("nodes", []))))

    api.kernel.documents.edit(api.kernel.store(), names.DRAINED, edit, create=True)
