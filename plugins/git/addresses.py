"""Which hosts may be asked for what a key names: not this one, and not the cloud's own service beside it.

Whoever has a key is trusted to name hosts, private networks included: code that is pushed may reach them anyway. But
our own loopback and link-local addresses (169.254.169.254, which gives a cloud machine its credentials) are open to us
and not to apps. Root on the host itself may name them.
"""

from minipaas_lib import api

_CLOUD = ("fd00:ec2::254", "100.100.100.200")  # outside the link-local ranges: AWS over IPv6, Alibaba


def refused(address: str) -> bool:
    """Whether an IP address is one of those."""
    import ipaddress

    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    bad = (found.is_loopback, found.is_link_local, found.is_multicast, found.is_unspecified, str(found) in _CLOUD)
    return any(bad) or (found.version == 4 and int(found) < 1 << 24)


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, all of which may be asked. Raises errors.UsageError, errors.Unavailable."""
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise api.errors.Unavailable(f"there is no host {api.names.safe(host)}", "look at the name") from None
    addresses = list(dict.fromkeys(entry[4][0] for entry in found))
    if api.caller.key() != "root":
        for address in addresses:
            if refused(address):
                raise api.errors.UsageError(
                    f"{api.names.safe(host)} is {address}, an address of this host's own, which is not asked for a key",
                    f"on the host, as root: minipaas {api.caller.command()} ...",
                )
    return addresses
