"""Choose minipaas' subnet, and the address of a new process. Pure."""

import sys
from collections.abc import Iterable, Iterator


def candidates() -> Iterator[str]:
    """Private subnets, the least commonly used first."""
    yield from (f"10.{number}.0.0/16" for number in (87, 143, 199, 233))
    yield from (f"172.{number}.0.0/16" for number in (30, 29, 28, 27))
    yield from (f"10.{number}.0.0/16" for number in range(250, 20, -1))
    yield from (f"192.168.{number}.0/20" for number in range(224, 0, -16))


def free_subnet(used: Iterable[str]) -> str | None:
    """The first candidate that overlaps none of the subnets in `used`; None if all do."""
    import ipaddress

    taken = [ipaddress.ip_network(subnet, strict=False) for subnet in used]
    for candidate in candidates():
        network = ipaddress.ip_network(candidate)
        if not any(network.overlaps(other) for other in taken if other.version == 4):
            return candidate
    return None


def gateway(subnet: str) -> str:
    """The host's own address: the subnet's first."""
    import ipaddress

    return str(ipaddress.ip_network(subnet)[1])


def dynamic_range(subnet: str) -> str:
    """The part from which docker assigns addresses to one-off containers: the last /24."""
    import ipaddress

    network = ipaddress.ip_network(subnet)
    return f"{network.broadcast_address - 255}/24"


def next_address(subnet: str, taken: set[str], last: str = "") -> str | None:
    """The first free address after `last`, wrapping around; None if all are taken.

    Going round keeps an address that was just given back out of use for as long as possible: a router's old workers
    may still send requests of the former owner there.
    """
    import ipaddress

    network = ipaddress.ip_network(subnet)
    first = int(network.network_address) + 2  # after the network's and the gateway's
    count = network.num_addresses - 256 - 2
    try:
        position = int(ipaddress.IPv4Address(last)) - first
    except ValueError:
        position = -1
    if not 0 <= position < count:
        position = -1
    for step in range(1, count + 1):
        address = str(ipaddress.IPv4Address(first + (position + step) % count))
        if address not in taken:
            return address
    return None


def routed_subnets(table: str) -> list[str]:
    """The IPv4 subnets in the text of /proc/net/route (see proc(5)), without the default route."""
    import ipaddress

    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or not int(fields[7], 16):
            continue
        # The kernel prints the 32-bit number as the machine keeps it in memory.
        target, mask = (int.from_bytes(bytes.fromhex(fields[column]), sys.byteorder) for column in (1, 7))
        network = f"{ipaddress.IPv4Address(target)}/{ipaddress.IPv4Address(mask)}"
        found.append(str(ipaddress.IPv4Network(network, strict=False)))
    return found
