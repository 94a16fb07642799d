"""cluster:init: bring a host and its live apps into a cluster.

Every step checks whether it is done already, so a command that was killed anywhere can simply be repeated: it goes on
where that one stopped. Apps are not touched before all nodes have what they need, and then one after the other.
"""

import contextlib
import os
import time
from collections.abc import Iterable

from minipaas_lib import api
from plugins.cluster import active_engine
from plugins.cluster.engine import Machine, Machines
from plugins.cluster.head import (
    certificate_authority,
    clock,
    follower_process,
    head_registry,
    migration,
    node_image,
    node_image_delivery,
    node_registry,
    preflight,
    rolling_upgrade,
    saved_options,
)
from plugins.cluster.names import AGENT, ROUTER
from plugins.cluster.transport import protocol

UNITS = ((ROUTER, ["node:router"]), (AGENT, ["node:agent", "--serve"]))
# What both share: the files of nginx, its pid and its logs. Volumes, so that nginx goes on when an agent is replaced.
SHARED = ("minipaas-nginx:/var/lib/minipaas/nginx", "minipaas-run:/run", "minipaas-log:/var/log/nginx")
NODE_FLEET = "unix:///run/fleet.sock"  # where the containers of our units find fleet
AGENTS = 180.0  # seconds until every node must route
HEAD = 30.0  # seconds until this host must
FILES = "/etc/minipaas/"  # what our containers on nodes see of the node's own files


def settings(etcd: str, fleet: str, ca: str, cert: str, key: str) -> "api.kernel.cluster.ClusterSettings":
    """The cluster of the options, or without them the one that was begun with. Raises errors.UsageError."""
    present, begun = api.kernel.cluster.settings(), saved_options.read(saved_options.JOINING)
    if present is None and saved_options.read(saved_options.LEAVING):
        raise api.errors.UsageError("cluster:leave was interrupted when it had almost ended", "cluster:leave")
    if not etcd:
        if present is None and not begun:
            raise api.errors.UsageError(
                "no etcd is given", "cluster:init --etcd http://10.0.0.1:2379,http://10.0.0.2:2379,..."
            )
        return (present or saved_options.settings(begun))._replace(moving="", node={})
    files = {"ca": ca, "cert": cert, "key": key}
    for option, path in files.items():
        if path and (not path.startswith(FILES) or os.path.normpath(path) != path):
            raise api.errors.UsageError(
                f"--{option} must be below {FILES}, and at the same place on every node",
                f"cluster:init --{option} {FILES}{option}.pem",
            )
        if path and not os.access(path, os.R_OK):
            raise api.errors.UsageError(f"--{option} {api.names.safe(path)} cannot be read by paas", f"ls -l {FILES}")
    urls = [url.strip() for url in etcd.split(",") if url.strip()]
    if wrong := next((url for url in urls if not api.kernel.cluster.is_etcd_url(url)), None):
        raise api.errors.UsageError(
            f"{api.names.safe(wrong)} is not an address of etcd", "such as http://10.0.0.1:2379"
        )
    try:
        cluster = api.kernel.cluster.parse({"etcd": urls, "fleet": fleet, **files})
    except api.errors.BadConfig as error:
        raise api.errors.UsageError(error.message) from None
    before = present or (saved_options.settings(begun) if begun else None)
    if before is not None and set(before.etcd) != set(cluster.etcd):
        raise api.errors.UsageError("this host belongs to another cluster, or has begun to join it", "cluster:leave")
    return cluster


def look(cluster: "api.kernel.cluster.ClusterSettings", machines: Machines) -> preflight.Facts:
    """See what there is. Nothing is changed."""
    store = api.kernel.open_cluster(cluster)
    members = tuple(store.cluster.states())
    tls = clock.context(cluster)
    clocks = {member.url: clock.offset(member.url, tls) for member in members if member.version}
    there: tuple[Machine, ...] = ()
    why = ""
    try:
        there = tuple(machines.members())
    except api.errors.Unavailable as error:
        why = error.message
    owner = _other_owner(store) if sum(member.serves for member in members) * 2 > len(members) else ""
    names = api.app_names()
    present = api.kernel.cluster.settings()
    stays = present is not None and not present.moving  # then no app is moved
    frozen = {
        name: said for name, said in api.of_each_app(lambda name: api.app(name).frozen).items() if said and not stays
    }
    stuck = {name: said for name in names if present is None and (said := api.kernel.interrupted(name))}
    return preflight.Facts(members, clocks, there, why, owner, frozen, stuck)


def _other_owner(store) -> str:
    """Whose state is in this etcd, if not this host's; empty for none."""
    try:
        owner = api.kernel.documents.read(store, saved_options.OWNER)
    except api.errors.NotFound:
        return "of an unknown host" if store.exists("platform.toml") else ""
    mine = saved_options.read(saved_options.JOINING).get("id", "")
    return "" if owner.get("id") in (mine, _member_id()) else str(owner.get("host", "of an unknown host"))


def _member_id() -> str:
    """What this host, where it belongs to the cluster already, is known by there."""
    present = api.kernel.cluster.settings()
    if present is None or not os.path.exists(api.kernel.cluster.path()):
        return ""
    return str(api.kernel.documents.read(api.kernel.open_cluster(present), saved_options.OWNER).get("id", ""))


def machines_of(cluster: "api.kernel.cluster.ClusterSettings") -> Machines:
    """The machines of a cluster that this host need not belong to yet. Raises errors.BadConfig."""
    api.kernel.cluster.assume(cluster)
    forget()
    try:
        return active_engine.scheduler().machines
    finally:
        api.kernel.cluster.assume(None)
        forget()


def forget() -> None:
    """Have what this process opened by cluster.toml opened anew."""
    api.kernel.forget_store()
    api.kernel.forget_engines()


def choices(cluster: "api.kernel.cluster.ClusterSettings", base: str, address: str) -> tuple[str, str]:
    """What the image of nodes is made from, and where nodes reach this host: as said now, or before, or as is usual."""
    begun, store = saved_options.read(saved_options.JOINING), api.kernel.open_cluster(cluster)
    base = base or begun.get("base") or rolling_upgrade.base(store) or node_image.BASE
    if not address:
        known = begun.get("address") or str(head_registry.known(store).get(api.caller.host(), {}).get("address", ""))
        address = known if node_image_delivery.is_ours(known) else node_image_delivery.own_address(cluster.etcd)
    return base, address


def prepare(cluster: "api.kernel.cluster.ClusterSettings", machines: Machines, base: str, address: str) -> None:
    """All that comes before the apps: owner, certificates, image, units. Nothing of this host is changed."""
    import secrets

    store = api.kernel.open_cluster(cluster)
    if not os.path.exists(api.kernel.cluster.path()):
        known = saved_options.read(saved_options.JOINING).get("id") or secrets.token_hex(8)
        saved_options.write(saved_options.JOINING, cluster, id=known, base=base, address=address)
        with contextlib.suppress(api.errors.Conflict):
            api.kernel.documents.write(store, saved_options.OWNER, {"id": known, "host": api.caller.host()}, "")
        if other := _other_owner(store):
            raise api.errors.Conflict(f"{other} has begun to use this etcd at the same time", "use another etcd")
    _certificates(store)
    for machine in machines.members():
        machines.join(machine.id)
    api.output.step("Making the image of minipaas for the nodes")
    name = node_image_delivery.make(cluster, base, NODE_FLEET)
    api.output.info(name)
    api.output.step("Sending it to " + _named(machines.members()))
    node_image_delivery.bring(machines, name, address)
    rolling_upgrade.note(store, name, base)
    api.output.step("Starting a router and an agent on every node")
    fresh = not os.path.exists(api.kernel.cluster.path()) and not any(machines.outcomes(unit) for unit, _ in UNITS)
    for unit, words in UNITS:
        machines.run(
            unit, node_image.CURRENT, words, SHARED, api.kernel.cluster.inner_ports(cluster) if unit == AGENT else ()
        )
    wait_for_routers(store, machines)
    if fresh:
        rolling_upgrade.done(store, [machine.id for machine in machines.members()])
    rolling_upgrade.roll(store, machines)
    node_registry.note(store, machines.members())


def wait_for_head() -> None:
    """Until this host's own nginx follows the routes; where that takes long, it is only told of."""
    end = time.monotonic() + HEAD
    while f"head-{api.caller.host()}" not in api.kernel.store().children("routers"):
        if time.monotonic() > end:
            api.output.warn("this host's nginx does not follow the routes yet; to check: cluster:status")
            return
        time.sleep(0.2)


def _named(machines: Iterable[Machine]) -> str:
    return ", ".join(machine.metadata.get("node", machine.id[:8]) for machine in machines)


def _certificates(store) -> None:
    import tempfile

    if all(store.exists(protocol.keys_path(part)) for part in protocol.PARTS):
        return
    api.output.step("Making certificates")
    with tempfile.TemporaryDirectory(prefix="minipaas-keys-") as folder:
        for part, keys in certificate_authority.make(folder).items():
            api.kernel.documents.write(store, protocol.keys_path(part), keys)


def wait_for_routers(store, machines: Machines) -> None:
    """Until every node says that it routes. Raises errors.Unavailable with those that do not."""
    end = time.monotonic() + AGENTS
    while True:
        alive = set(store.children("routers"))
        late = [machine for machine in machines.members() if machine.id not in alive]
        if not late:
            return
        if time.monotonic() > end:
            raise api.errors.Unavailable(
                f"the agent of {_named(late)} did not start within {AGENTS:.0f} seconds",
                f"on that node: journalctl -u {AGENT}; docker logs {AGENT}",
            )
        time.sleep(0.5)


def switch(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    """Copy the state to etcd and go by that from now on, with every app locked meanwhile."""
    if os.path.exists(api.kernel.cluster.path()):
        return
    api.output.step("Copying the state to etcd")
    with migration.all_locked():
        copied = api.kernel.copy_store(
            api.kernel.open_directory(),
            api.kernel.open_cluster(cluster),
            saved_options.OURS,
            api.caller.host(),
            replace=True,
        )
        api.output.info(f"{copied.written + copied.same} documents")
        api.kernel.cluster.write(cluster._replace(moving=api.kernel.cluster.IN))
    forget()


def move(cluster: "api.kernel.cluster.ClusterSettings") -> None:
    """Move the apps that are not there yet, one after the other, then have this host be a head like any other."""
    present = api.kernel.cluster.settings()
    if present is None or not present.moving:
        return
    if present.moving == api.kernel.cluster.OUT:  # cluster:leave was interrupted, and we are to stay
        api.kernel.cluster.write(cluster._replace(moving=api.kernel.cluster.IN))
        forget()
        saved_options.remove(saved_options.LEAVING)
    api.of_each_app(lambda name: migration.move(name, "moved to the cluster", lambda process: not process.node))
    migration.wait_until_gone(lambda process: not process.node, "the processes on this host")
    api.output.step("Copying the images of earlier releases to the nodes")
    active_engine.scheduler().bring_images()
    api.kernel.cluster.write(cluster)
    forget()
    saved_options.remove(saved_options.JOINING)
    follower_process.ensure_running()
    wait_for_head()
