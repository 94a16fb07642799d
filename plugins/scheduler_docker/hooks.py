"""Hooks of docker."""

from minipaas_lib import api

_BRIDGE_FILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"


@api.hookimpl
def scheduler():
    api.activate()
    import docker  # noqa: F401 - the greater part of what the first call would wait for

    from plugins.scheduler_docker.scheduler import DockerScheduler

    return DockerScheduler()


@api.hookimpl
def installed():
    from plugins.scheduler_docker import network
    from plugins.scheduler_docker.scheduler import DockerScheduler

    network.ensure()
    DockerScheduler().renew_policies()


@api.hookimpl
def doctor(app):
    try:
        return _host() if app is None else _app(app)
    except api.errors.MinipaasError as error:
        part = "docker" if app is None else f"app {app.name}: processes"
        return [api.Finding(part, False, error.message, error.hint)]


def _host() -> list:
    from plugins.scheduler_docker import client, network

    with client.answering():
        about = client.HERE.connect().info()
    alone = "run on" if about.get("LiveRestoreEnabled") else "stop"
    said = f"docker {about['ServerVersion']} answers; processes {alone} while it is away"
    return [api.Finding("docker", True, said), _network(network.settings())]


def _network(ours) -> "api.Finding":
    """The finding about the network: does it exist, and does it keep the apps apart?"""
    import docker.errors

    from plugins.scheduler_docker import client

    part = f"network {ours.name}"
    try:
        with client.answering():
            answer = client.HERE.connect().inspect_network(ours.name)
    except docker.errors.NotFound:
        return api.Finding(part, False, "the network of the apps is not there", "minipaas install")
    if answer["Options"].get("com.docker.network.bridge.enable_icc") != "false":
        return api.Finding(
            part,
            False,
            "apps can reach each other on it",
            f"stop the apps, then: docker network rm {ours.name}; minipaas install",
        )
    subnets = [pool.get("Subnet") for pool in answer["IPAM"]["Config"] or []]
    if ours.subnet and ours.subnet not in subnets:
        return api.Finding(
            part,
            False,
            f"it has the subnet {subnets[0] if subnets else 'none'}, and {ours.subnet} is recorded",
            "minipaas install",
        )
    try:
        with open(_BRIDGE_FILTER, encoding="ascii") as file:
            filtered = file.read().strip() == "1"
    except OSError:
        filtered = False
    if not filtered:
        return api.Finding(
            part,
            False,
            "the kernel does not filter bridged traffic, so apps can reach each other",
            "sudo modprobe br_netfilter; sudo sysctl net.bridge.bridge-nf-call-iptables=1",
        )
    return api.Finding(part, True, f"{ours.subnet or subnets[0]}, apps cannot reach each other")


def _app(app) -> list:
    """Compare the processes that should run with those that do."""
    from plugins.scheduler_docker import health

    part = f"app {app.name}: processes"
    release = api.live_release(app.name)
    if release is None:
        return [api.Finding(part, True, "not deployed yet")]
    scheduler = api.scheduler()
    found = scheduler.processes(app.name)
    if app.stopped:
        return [health.of_a_stopped_app(part, app.name, found)]
    return [health.of_a_live_app(part, release, found, scheduler)]
