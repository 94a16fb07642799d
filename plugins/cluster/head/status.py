"""cluster:status: the state of the cluster, gathered part by part, each with an end to its waiting."""

from typing import Any

from minipaas_lib import api
from plugins.cluster import active_engine, names
from plugins.cluster.head import (
    certificate_authority,
    certificate_renewal,
    follower_process,
    head_registry,
    init,
    node_drain,
    node_registry,
    rolling_upgrade,
    saved_options,
)
from plugins.cluster.transport import protocol


def status() -> dict:
    """All of it as plain data. What does not answer is among `wrong`; nothing is raised for it."""
    cluster = api.kernel.cluster.settings()
    if cluster is None:
        begun = saved_options.read(saved_options.JOINING) or saved_options.read(saved_options.LEAVING)
        message = "a move was interrupted; to continue: cluster:init, or: cluster:leave"
        return {"cluster": False, "wrong": [message] if begun else []}
    etcd = [member._asdict() for member in api.kernel.open_cluster(cluster).cluster.states()]
    wrong = [f"etcd {member['url']}: {member['reason']}" for member in etcd if not member["serves"]]
    empty: dict[str, list] = {"nodes": [], "heads": [], "lost": [], "removed": []}
    report: dict[str, Any] = {"cluster": True, "moving": cluster.moving, "etcd": etcd, **empty, "wrong": wrong}
    if sum(member["serves"] for member in etcd) * 2 <= len(etcd):
        wrong.append("etcd has no quorum: sites keep their last routes, and nothing can be changed")
        return report
    try:
        report |= _machines(cluster.moving, wrong)
    except api.errors.MinipaasError as error:
        wrong.append(error.message)
    wrong += _certificates()
    if cluster.moving:
        back = "cluster:init" if cluster.moving == api.kernel.cluster.IN else "cluster:leave"
        wrong.append(f"apps are being moved, or a move was interrupted; to continue: {back}")
    elif not follower_process.is_running():
        wrong.append("this host's nginx does not follow the routes; the next command that changes one fixes that")
    wrong += [message for one in (*report["nodes"], *report["heads"]) for message in _complaints(one)]
    wrong += [
        f"{one['name']}: fleet does not know it; if it is gone for good: cluster:remove {one['name']}"
        for one in report["lost"]
    ]
    return report


def _machines(moving: str, wrong: list[str]) -> dict[str, list]:
    """The nodes and heads, those that are lost, and those that were removed; adds to what is `wrong`.

    Raises errors.MinipaasError.
    """
    engine = active_engine.scheduler()
    asked = active_engine.router().routers()  # others would not answer, and take long over it
    images = engine.node_images(asked)
    nodes = _nodes(images)
    report: dict[str, list] = {"nodes": nodes, "heads": _heads(), "lost": _lost(), "removed": _removed()}
    if not moving:
        wrong += [
            f"{node_registry.named(one)} may run another minipaas than the cluster; to upgrade it: cluster:init"
            for one in rolling_upgrade.behind(api.kernel.store(), engine.machines.members())
        ]
        if len(images) == len(nodes):
            wrong += gone(_live_images(), set().union(*images.values()))
    return report


def _certificates() -> list[str]:
    """What is wrong with those of the cluster."""
    store = api.kernel.store()
    try:
        if certificate_renewal.begun(store):
            return [
                "the certificates are being renewed, or that was interrupted; to continue: cluster:renew-certificates"
            ]
        why = certificate_authority.fault(
            str(api.kernel.documents.read(store, protocol.keys_path("head")).get("ca", ""))
        )
    except api.errors.MinipaasError as error:
        return [error.message]
    return [f"{why}; to renew them: cluster:renew-certificates"] if why else []


def _lost() -> list[dict]:
    """The nodes that fleet does not hear of."""
    return [one._asdict() for one in node_registry.lost(active_engine.scheduler().machines.all())]


def _removed() -> list[str]:
    """The names of machines that fleet hears of and that cluster:remove took away."""
    return [node_registry.named(machine) for machine in active_engine.scheduler().machines.expelled()]


def _live_images() -> dict[str, str]:
    """What each app runs that was deployed and is not stopped: its image by the app's name."""
    images = {}
    for name in api.app_names():
        try:
            live = None if api.app(name).stopped else api.live_release(name)
        except (api.errors.BadConfig, api.errors.NotFound):  # one that cannot be read is doctor's, not all others'
            continue
        if live:
            images[name] = live.image
    return images


def gone(live: dict[str, str], there: set[str]) -> list[str]:
    """The complaints about live releases whose image is not `there`, on any node. Pure."""
    return [
        f"{app}: no node has the image that it runs; to build it again: ps:rebuild {app}"
        for app, image in sorted(live.items())
        if image not in there
    ]


def _nodes(images: dict[str, dict[str, str]]) -> list[dict]:
    machines, router = active_engine.scheduler().machines, active_engine.router()
    states = {unit: machines.outcomes(unit) for unit, _ in init.UNITS}
    reports, behind, drained = router.routers(), router.behind(), node_drain.drained()
    processes = [process.node for process in api.scheduler().processes()]
    return [
        {
            "name": machine.metadata.get("node", machine.id[:8]),
            "id": machine.id,
            "address": machine.address,
            "metadata": {
                key: value
                for key, value in sorted(machine.metadata.items())
                if key != "node" and not key.startswith("minipaas")
            },
            "drained": machine.id in drained,
            "processes": processes.count(machine.id),
            "images": sum(map(bool, images[machine.id].values())) if machine.id in images else None,
            "router": states[names.ROUTER].get(machine.id, "missing"),
            "agent": states[names.AGENT].get(machine.id, "missing"),
            **_routes(machine.id, reports, behind),
        }
        for machine in machines.members()
    ]


def _heads() -> list[dict]:
    router = active_engine.router()
    reports, behind = router.routers(), router.behind()
    return [
        {"name": name, **_routes(head_registry.ROUTER + name, reports, behind)}
        for name in sorted(head_registry.alive(api.kernel.store()) | head_registry.known(api.kernel.store()).keys())
    ]


def _routes(router: str, reports: dict, behind: dict) -> dict:
    """What a router says of itself; `applied` is None where it says nothing."""
    report = reports.get(router)
    if report is None:
        return {"applied": None, "behind": [], "refused": {}}
    refused = {app: text.partition(" ")[2] for app, text in report.get("refused", {}).items()}
    return {"applied": len(report.get("applied", {})), "behind": behind.get(router, []), "refused": refused}


def _complaints(one: dict) -> list[str]:
    """What is wrong with a node or a head. Pure."""
    complaints = [
        f"{one['name']}: the {part} is {one[part]}"
        for part in ("router", "agent")
        if one.get(part, "running") != "running"
    ]
    if one["applied"] is None:
        complaints.append(f"{one['name']}: its router is not responding")
    complaints += [f"{one['name']}: refuses the route of {app}: {why}" for app, why in sorted(one["refused"].items())]
    complaints += [
        f"{one['name']}: has not applied the route of {app}" for app in one["behind"] if app not in one["refused"]
    ]
    return complaints


def findings(report: dict) -> list["api.Finding"]:
    """What doctor says of a status: each thing that is wrong, or one sentence. Pure."""
    if report["wrong"]:
        return [api.Finding("cluster", False, message, "cluster:status") for message in report["wrong"]]
    names = ", ".join(node["name"] for node in report["nodes"])
    return [api.Finding("cluster", True, f"etcd, the nodes {names} and all routers are fine")]


def show(report: dict) -> None:
    """The status for people."""
    data = api.output.data
    if not report["cluster"]:
        data("This host is on its own.")
    else:
        data("=====> etcd")
        for member in report["etcd"]:
            state = (
                (f"version {member['version']}" + (", leads" if member["leads"] else ""))
                if member["serves"]
                else member["reason"]
            )
            data(f"       {member['url']:<32} {api.output.tame(state)}")
        data("=====> Nodes")
        rows = [
            {
                "node": node["name"],
                "address": node["address"],
                "processes": node["processes"],
                "images": "-" if node["images"] is None else node["images"],
                "routes": "-" if node["applied"] is None else node["applied"],
                "router": node["router"],
                "agent": node["agent"],
                "state": "drained" if node["drained"] else "",
                "metadata": " ".join(f"{key}={value}" for key, value in node["metadata"].items()),
            }
            for node in report["nodes"]
        ]
        api.commands.print_table(rows)
        if report["removed"]:
            data("       removed (to bring one back: cluster:undrain <node>): " + ", ".join(report["removed"]))
        for one in report["heads"]:
            routes = "not responding" if one["applied"] is None else f"{one['applied']} routes"
            data(f"=====> Head {one['name']}: {routes}")
    for message in report["wrong"]:
        api.output.warn(message)
