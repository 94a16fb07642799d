"""cluster:leave: bring the apps of a cluster back to this one host, in the way that cluster:init moved them there."""

import contextlib
import time

from minipaas_lib import api
from plugins.cluster import delivery, engines, head, joining, moving, record, second, upgrade

FOLLOWER = 90.0  # seconds until the process that follows the routes must have seen that it is over


def leave() -> None:
    """All of it, or what a former call did not come to. Raises errors.MinipaasError."""
    found = api.cluster.settings()
    if found is not None:
        if found.moving != api.cluster.OUT and second.may_step_out():
            second.step_out(found)
            return
        _move_home(found)
        _switch(found)
    _clean_up()


def is_begun() -> bool:
    """Whether something is left to be done on a host without a cluster."""
    return bool(record.read(record.LEAVING) or record.read(record.JOINING))


def _move_home(found: "api.cluster.ClusterSettings") -> None:
    if found.moving != api.cluster.OUT:
        api.cluster.write(found._replace(moving=api.cluster.OUT))
        joining.forget()
    end = time.monotonic() + FOLLOWER
    while head.is_followed():  # it would take this host's routes to be the nodes' again
        if time.monotonic() > end:
            raise api.errors.Unavailable("the process that follows the routes does not stop", "pgrep -af node:follow")
        time.sleep(0.2)
    api.of_each_app(lambda name: moving.move(name, "moved back to one host", lambda process: bool(process.node)))
    moving.wait_until_gone(lambda process: bool(process.node), "the processes on the nodes")
    api.output.step("Copying the images of earlier releases to this host")
    engines.scheduler().bring_images()


def _switch(found: "api.cluster.ClusterSettings") -> None:
    api.output.step("Copying the state back to this host")
    with moving.all_locked():
        record.write(record.LEAVING, found, id=str(api.documents.read(api.store(), record.OWNER).get("id", "")))
        copied = api.copy_store(api.store(), api.open_directory(), record.OURS, "the cluster", replace=True)
        api.output.info(f"{copied.written + copied.same} documents")
        api.cluster.remove()
    joining.forget()


def _clean_up() -> None:
    """Take from the nodes and from etcd what was ours."""
    about = record.read(record.LEAVING) or record.read(record.JOINING)
    if not about:
        return
    found = record.settings(about)
    if about.get("out"):
        second.finish(found)
        return
    api.output.step("Stopping minipaas on the nodes")
    machines = joining.machines_of(found)
    for unit in (delivery.UNIT, upgrade.UNIT, *(name for name, _ in joining.UNITS)):
        machines.remove(unit)
    store = api.open_cluster(found)
    with contextlib.suppress(api.errors.NotFound):
        if api.documents.read(store, record.OWNER).get("id", "") == about.get("id"):
            _empty(store)
    record.remove(record.LEAVING)
    record.remove(record.JOINING)


def _empty(store) -> None:
    """Remove the state, and last of all the word on whose it was."""
    for path in store.list(""):
        if path != record.OWNER:
            with contextlib.suppress(api.errors.NotFound):
                store.delete(path)
    store.delete(record.OWNER)
