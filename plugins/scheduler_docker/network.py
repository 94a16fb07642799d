"""The docker network that all processes join: containers cannot reach each other, the host reaches them all."""

from collections.abc import Set
from typing import NamedTuple

from minipaas_lib import api
from plugins.scheduler_docker import addresses, client

_NO_ICC = "com.docker.network.bridge.enable_icc"
_BRIDGE = "com.docker.network.bridge.name"
_MTU = "com.docker.network.driver.mtu"
_MAKING = 3.0  # seconds that docker may take to make a network
_LAST = "network.toml"  # the last address given; apart from platform.toml, as every start of a process writes it


class Network(NamedTuple):
    name: str
    bridge: str  # the network interface on the host
    subnet: str  # CIDR; "" before the network was first made


def settings() -> Network:
    """minipaas' network as recorded in platform.toml."""
    table = api.kernel.platform().get("network", {})
    name = table.get("name", "minipaas")
    return Network(name, table.get("bridge", name[:14] + "0"), table.get("subnet", ""))


def ensure(daemon: client.Daemon = client.HERE, record: bool = True) -> Network:
    """minipaas' network, created if missing. Raises errors.Unavailable, errors.BadConfig.

    Its subnet is recorded unless it is that of one node among several, where nobody gives out its addresses.
    """
    import docker.errors

    docker_api = daemon.connect()
    wanted = settings()
    with client.answering():
        try:
            subnet = _subnet_of(docker_api.inspect_network(wanted.name))
            return _recorded(wanted, subnet) if record else wanted._replace(subnet=subnet)
        except docker.errors.NotFound:
            pass
        subnet = wanted.subnet or _choose(docker_api)
        network = _recorded(wanted, subnet) if record else wanted._replace(subnet=subnet)
        try:
            _create(docker_api, network)
        except docker.errors.APIError as error:
            # Another process was first. While docker makes its network, the addresses are taken and the name is not.
            if error.status_code == 409 or (error.status_code == 403 and _appears(docker_api, wanted.name)):
                return ensure(daemon, record)
            raise api.errors.Unavailable(
                f"docker refuses the network {network.name} ({subnet}): {client.explanation(error)}", "doctor"
            ) from error
    return network


def _appears(docker_api, name: str) -> bool:
    """Whether a network of that name appears within a few seconds."""
    import time

    end = time.monotonic() + _MAKING
    while name not in [found["Name"] for found in docker_api.networks(names=[name])]:
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def _recorded(wanted: Network, subnet: str) -> Network:
    """The network with its subnet, written to platform.toml if new."""
    if wanted.subnet == subnet:
        return wanted

    def change(document):
        document.setdefault("network", {})["subnet"] = subnet

    api.kernel.edit_platform(change)
    return wanted._replace(subnet=subnet)


def _subnet_of(answer: dict) -> str:
    for pool in answer["IPAM"]["Config"] or []:
        if "." in pool.get("Subnet", ""):
            return pool["Subnet"]
    raise api.errors.BadConfig(
        f"the docker network {answer['Name']} has no IPv4 subnet, so it is not that of the apps",
        f"stop what uses it, then as root: docker network rm {answer['Name']}",
    )


def _choose(docker_api) -> str:
    with open("/proc/net/route", encoding="ascii") as file:
        used = addresses.routed_subnets(file.read())
    for other in docker_api.networks():
        used += [pool["Subnet"] for pool in other["IPAM"]["Config"] or [] if "Subnet" in pool]
    subnet = addresses.free_subnet(used)
    if subnet is None:
        raise api.errors.BadConfig(
            "every private subnet that the apps' network could use overlaps one of this host's",
            'name a free one, at least a /23, in platform.toml: [network] subnet = "10.1.0.0/16"',
        )
    return subnet


def _create(docker_api, network: Network) -> None:
    from docker.types import IPAMConfig, IPAMPool

    pool = IPAMPool(
        subnet=network.subnet,
        gateway=addresses.gateway(network.subnet),
        iprange=addresses.dynamic_range(network.subnet),
    )
    docker_api.create_network(
        network.name,
        driver="bridge",
        ipam=IPAMConfig(pool_configs=[pool]),
        options={_NO_ICC: "false", _BRIDGE: network.bridge, _MTU: _uplink_mtu()},
        check_duplicate=True,
        labels={"minipaas.network": network.name},
    )


def _uplink_mtu() -> str:
    """The MTU of the interface that the default route uses: docker assumes 1500, and some clouds have less."""
    try:
        with open("/proc/net/route", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        interface = next(row[0] for row in rows if row[1] == "00000000")
        with open(f"/sys/class/net/{interface}/mtu", encoding="ascii") as file:
            return str(min(1500, int(file.read())))
    except (OSError, StopIteration, IndexError, ValueError):
        return "1500"


def reserve(daemon: client.Daemon, network: Network, avoid: Set[str] = frozenset()) -> str:
    """A free address for a new process, recorded so that no other process gets it soon.

    The record is written by compare-and-swap: of two commands at once, one takes the next address.
    Raises errors.Unavailable if all are taken.
    """
    store = api.kernel.store()
    taken = _taken(daemon, network) | avoid
    while True:
        try:
            text, revision = store.read(_LAST)
        except api.errors.NotFound:
            text, revision = "", ""
        address = addresses.next_address(network.subnet, taken, _last(text))
        if address is None:
            raise api.errors.Unavailable(f"all addresses of the network {network.subnet} are in use", "ps:report")
        try:
            store.write(_LAST, f'last_address = "{address}"\n', revision)
            return address
        except api.errors.Conflict:
            continue


def _last(text: str) -> str:
    import tomllib

    try:
        return str(tomllib.loads(text).get("last_address", ""))
    except ValueError:
        return ""  # the record only makes reuse later; without it any free address is right


def _taken(daemon: client.Daemon, network: Network) -> set[str]:
    """The addresses of all containers on the network, stopped ones included."""
    from plugins.scheduler_docker import containers

    with client.answering():
        everything = daemon.connect().containers(all=True)
    found = {containers.address(answer["NetworkSettings"]["Networks"], network.name) for answer in everything}
    return found - {""}
