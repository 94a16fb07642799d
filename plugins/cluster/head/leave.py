"""cluster:leave: bring the apps of a cluster back to this one host, in the way that cluster:init moved them there."""

import contextlib
import time

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.head import (
    follower_process,
    init,
    join_head,
    migration,
    node_image_delivery,
    rolling_upgrade,
    saved_options,
)

FOLLOWER = 90.0  # seconds until the process that follows the routes must have seen that it is over


def leave() -> None:
    """All of it, or what a former call did not come to. Raises errors.MinipaasError."""
    cluster = api.kernel.cluster.settings()
    if cluster is not None:
        if cluster.moving != api.kernel.cluster.OUT and join_head.may_step_out():
            join_head.step_out(cluster)
            return
        _move_home(cluster)
        _switch(cluster)
    _clean_up()


def is_begun() -> bool:
    """Whether something is left to be done on a host without a cluster."""
    return bool(saved_options.read(saved_options.LEAVING) or saved_options.read(saved_options.JOINING))


def _move_home(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    if cluster.moving != api.kernel.cluster.OUT:
        api.kernel.cluster.write(cluster._replace(moving=api.kernel.cluster.OUT))
        init.forget()
    end = time.monotonic() + FOLLOWER
    while follower_process.is_running():  # it would take this host's routes to be the nodes' again
        if time.monotonic() > end:
            raise api.errors.Unavailable("the process that follows the routes does not stop", "pgrep -af node:follow")
        time.sleep(0.2)
    api.of_each_app(lambda name: migration.move(name, "moved back to one host", lambda process: bool(process.node)))
    migration.wait_until_gone(lambda process: bool(process.node), "the processes on the nodes")
    api.output.step("Copying the images of earlier releases to this host")
    active_engine.scheduler().bring_images()


def _switch(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    api.output.step("Copying the state back to this host")
    with migration.all_locked():
        saved_options.write(
            saved_options.LEAVING,
            cluster,
            id=str(api.kernel.documents.read(api.kernel.store(), saved_options.OWNER).get("id", "")),
        )
        copied = api.kernel.copy_store(
            api.kernel.store(), api.kernel.open_directory(), saved_options.OURS, "the cluster", replace=True
        )
        api.output.info(f"{copied.written + copied.same} documents")
        api.kernel.cluster.remove()
    init.forget()


def _clean_up() -> None:
    """Take from the nodes and from etcd what was ours."""
    record = saved_options.read(saved_options.LEAVING) or saved_options.read(saved_options.JOINING)
    if not record:
        return
    cluster = saved_options.settings(record)
    if record.get("out"):
        join_head.finish(cluster)
        return
    api.output.step("Stopping minipaas on the nodes")
    machines = init.machines_of(cluster)
    for unit in (node_image_delivery.UNIT, rolling_upgrade.UNIT, *(name for name, _ in init.UNITS)):
        machines.remove(unit)
    store = api.kernel.open_cluster(cluster)
    with contextlib.suppress(api.errors.NotFound):
        if api.kernel.documents.read(store, saved_options.OWNER).get("id", "") == record.get("id"):
            _empty(store)
    saved_options.remove(saved_options.LEAVING)
    saved_options.remove(saved_options.JOINING)


def _empty(store) -> None:
    """Remove the state, and last of all the word on whose it was."""
    for path in store.list(""):
        if path != saved_options.OWNER:
            with contextlib.suppress(api.errors.NotFound):
                store.delete(path)
    store.delete(saved_options.OWNER)
