"""Port mappings: which port of the host leads to which port of the app's web processes."""

import re
from typing import NamedTuple

from minipaas_lib import api

EXAMPLE = "http:80:5000"
REFUSED_HOST_PORTS = {
    22: "sshd listens there, and without it nobody can push",
    2375: "docker's API uses it, and who reaches that is root",
    2376: "docker's API uses it, and who reaches that is root",
}


class Mapping(NamedTuple):
    scheme: str
    host_port: int
    container_port: int

    def __str__(self) -> str:
        return f"{self.scheme}:{self.host_port}:{self.container_port}"


def parse(text: str) -> Mapping:
    """The mapping typed as `http:80:5000`: scheme, port of the host, port of the container.

    Raises errors.UsageError.
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not a port mapping: it has three parts, scheme:host-port:container-port",
            f"try: {_complete(parts)}",
        )
    scheme, host, container = parts
    if scheme == "https":
        raise api.errors.UsageError(
            f"{api.names.safe(text)} cannot be set: certificates are not available yet",
            f"try: {_complete(['80', container])}",
        )
    if scheme != "http":
        raise api.errors.UsageError(
            f"the scheme {api.names.safe(scheme)} is not known; only http is", f"try: {EXAMPLE}"
        )
    mapping = Mapping(scheme, _port("host", host), _port("container", container))
    reason = REFUSED_HOST_PORTS.get(mapping.host_port)
    if reason:
        raise api.errors.UsageError(
            f"port {mapping.host_port} of the host cannot be mapped: {reason}", f"try: http:80:{mapping.container_port}"
        )
    return mapping


def conflicts(mappings: list[Mapping]) -> list[tuple[Mapping, Mapping]]:
    """The pairs (earlier, later) of mappings that use the same port of the host."""
    first: dict[int, Mapping] = {}
    pairs = []
    for mapping in mappings:
        earlier = first.setdefault(mapping.host_port, mapping)
        if earlier is not mapping:
            pairs.append((earlier, mapping))
    return pairs


def _port(which: str, text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", text) or int(text) > 65535:
        raise api.errors.UsageError(
            f"the {which} port {api.names.safe(text)} is not a number from 1 to 65535", f"try: {EXAMPLE}"
        )
    return int(text)


def _complete(parts: list[str]) -> str:
    """A whole mapping made of the valid ports among `parts`, or the example."""
    ports = [part for part in parts if re.fullmatch("[1-9][0-9]{0,3}", part)]
    if len(ports) == 2 and int(ports[0]) not in REFUSED_HOST_PORTS:
        return f"http:{ports[0]}:{ports[1]}"
    if len(parts) == 2 and parts[0] == "http" and len(ports) == 1 and int(ports[0]) not in REFUSED_HOST_PORTS:
        return f"http:{ports[0]}:5000"
    return EXAMPLE
