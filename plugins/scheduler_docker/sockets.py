"""The listening sockets of a container, from its host's /proc. Pure except for the reading.

/proc/<pid>/net shows the network namespace of the process, and the kernel lets every user read it.
"""

import re
import sys

from minipaas_lib import api
from plugins.scheduler_docker import client

_PATIENCE = 10  # seconds
_LISTEN = "0A"  # TCP_LISTEN in the kernel's include/net/tcp_states.h
_DOCKER_DNS = "127.0.0.11"  # docker's resolver listens in every container of a network of its own


def of_container(daemon: client.Daemon, beside: str, pid: int) -> tuple[tuple[str, int], ...]:
    """As of_process(), for a process of the host of `daemon`; on another host, its container `beside` is asked.

    Empty where it cannot say: why a process fails is then said without it.
    """
    import docker.errors

    from plugins.scheduler_docker import attached

    if not daemon.url:
        return of_process(pid)
    try:
        with client.answering():
            _, said = attached.probe(daemon.new(), beside, command(pid), _PATIENCE, "minipaas-listening")
    except (docker.errors.APIError, api.errors.Unavailable):
        return ()
    return listed(said)


def of_process(pid: int) -> tuple[tuple[str, int], ...]:
    """(address, port) of every TCP socket that listens in the network namespace of `pid`; empty if it is gone."""
    found: list[tuple[str, int]] = []
    for name in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:
                found += parse(file.read())
        except OSError:
            continue
    return tuple(sorted(set(found)))


def command(pid: int) -> list[str]:
    """The command that prints, on a Linux host, what `listed` parses."""
    return ["grep", "-h", f" {_LISTEN} ", f"/proc/{pid}/net/tcp", f"/proc/{pid}/net/tcp6"]


def listed(said: str) -> tuple[tuple[str, int], ...]:
    """Like of_process(), from the output of `command`; anything else in it is ignored."""
    lines = [line for line in said.splitlines() if re.match(r" *\d+: (?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4} ", line)]
    return tuple(sorted(set(parse("\n".join(["", *lines])))))


def parse(table: str) -> list[tuple[str, int]]:
    """The listening sockets in the text of /proc/net/tcp or tcp6 (proc_net_tcp in the kernel's docs)."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 4 or fields[3] != _LISTEN:
            continue
        place, _, port = fields[1].partition(":")
        address = _address(place)
        if address != _DOCKER_DNS:
            found.append((address, int(port, 16)))
    return found


def _address(text: str) -> str:
    """An address in the kernel's notation: 32-bit words in hex, each in the machine's byte order."""
    import ipaddress

    raw = b"".join(int(text[start : start + 8], 16).to_bytes(4, sys.byteorder) for start in range(0, len(text), 8))
    address = ipaddress.ip_address(raw)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
