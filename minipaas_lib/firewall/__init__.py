"""Whether this host's firewall lets visitors in, judged from its rules: a request from inside proves nothing.

install.sh runs this package with the host's own Python before anything is installed, so it has no dependencies.
A provider's firewall in front of the host cannot be seen from here.
"""

import functools
import os
import sys
from typing import NamedTuple

from minipaas_lib.firewall import iptables, nftables
from minipaas_lib.firewall.rules import CLOSED, OPEN, Base, Packet, judge
from minipaas_lib.firewall.rules import Unreadable as Unreadable  # part of the interface: barriers() raises it

_NFT = ("/usr/sbin/nft", "-j", "list", "ruleset")
_SAVERS = {
    "ipv4": ("/usr/sbin/iptables-nft-save", "/usr/sbin/iptables-legacy-save"),
    "ipv6": ("/usr/sbin/ip6tables-nft-save", "/usr/sbin/ip6tables-legacy-save"),
}
COMMANDS = (_NFT, *((path,) for paths in _SAVERS.values() for path in paths))
"""All commands that read the rules; sudo lets paas run each with exactly these arguments."""
_TIMEOUT = 10.0  # seconds


class Barrier(NamedTuple):
    """What the firewall does to connections from outside to a port."""

    port: int
    nobody: bool  # else some may be let in, such as by their address
    family: str  # "ipv4", "ipv6", or "" for both
    tool: str  # ufw, firewalld, nftables or iptables
    fix: str  # the command, as root, that opens the port

    @property
    def said(self) -> str:
        over = {"ipv4": " over IPv4", "ipv6": " over IPv6", "": ""}[self.family]
        whom = "nobody" if self.nobody else "only some"
        return f"the firewall ({self.tool}) lets {whom} in on port {self.port}{over}"


class Texts(NamedTuple):
    """The output of the commands."""

    nft: str = ""
    saved: tuple[tuple[str, str], ...] = ()  # (family, output of iptables-save)


def barriers(ports: "list[int]") -> list[Barrier]:
    """What keeps visitors from the TCP ports, in order. Raises Unreadable if the rules cannot be read."""
    return [barrier for port in ports if (barrier := judged(read(), port, outside(), families()))]


def judged(texts: Texts, port: int, interfaces: frozenset[str], present: tuple[str, ...]) -> Barrier | None:
    """What keeps visitors from a port, by the given rules; None if it is open. Pure. Raises Unreadable."""
    blocked = []
    for family in present:
        packet = Packet(port, family, interfaces)
        bases = bases_of(texts, packet)
        verdict, base = judge(bases)
        if verdict != OPEN and base is not None:
            blocked.append((family, verdict == CLOSED, base, tool_of(bases, base)))
    if not blocked:
        return None
    family, nobody, base, tool = blocked[0]
    all_families = len(blocked) == len(present) and len({entry[1] for entry in blocked}) == 1
    return Barrier(port, nobody, "" if all_families else family, tool, _fix(tool, base, family, port))


def bases_of(texts: Texts, packet: Packet) -> list[Base]:
    """All base chains that a packet for this host passes. iptables' tables in nftables are read from iptables-save."""
    bases, known = [], set()
    for family, text in texts.saved:
        if family == packet.family:
            more, tables = iptables.bases(text, packet)
            bases += more
            known |= tables
    return bases + nftables.bases(texts.nft, packet, known)


def tool_of(bases: list[Base], base: Base) -> str:
    """The tool that manages the rules and has to open a port."""
    chains = {name for chain_base in bases for name in chain_base.chains}
    if "ufw-user-input" in chains or "ufw6-user-input" in chains:
        return "ufw"
    if base.table == "firewalld" or {"INPUT_ZONES", "IN_public"} & chains:
        return "firewalld"
    return "nftables" if base.native else "iptables"


def _fix(tool: str, base: Base, family: str, port: int) -> str:
    if tool == "ufw":
        return f"ufw allow {port}/tcp"
    if tool == "firewalld":
        return f"firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload"
    if tool == "nftables":
        return f"nft insert rule {base.family} {base.table} {base.name} tcp dport {port} accept"
    return f"{'iptables' if family == 'ipv4' else 'ip6tables'} -I {base.name} -p tcp --dport {port} -j ACCEPT"


@functools.cache
def read() -> Texts:
    """The present rules of this host. Raises Unreadable."""
    nft = _run(_NFT)
    saved = [(family, _run((path,))) for family, paths in _SAVERS.items() for path in paths]
    return Texts(nft, tuple(saved))


def outside(table: str | None = None, table6: str | None = None) -> frozenset[str]:
    """The interfaces of the default routes, from /proc/net/route and /proc/net/ipv6_route."""
    interfaces = set()
    for line in (_text("/proc/net/route") if table is None else table).split("\n")[1:]:
        row = line.split()
        if len(row) > 7 and row[1] == row[7] == "00000000":
            interfaces.add(row[0])
    for line in (_text("/proc/net/ipv6_route") if table6 is None else table6).split("\n"):
        row = line.split()
        if len(row) > 9 and row[0] == "0" * 32 and row[1] == "00" and row[9] != "lo":
            interfaces.add(row[9])
    return frozenset(interfaces)


def families(addresses: str | None = None) -> tuple[str, ...]:
    """IPv4, and IPv6 if the host has a global address, from /proc/net/if_inet6."""
    rows = [line.split() for line in (_text("/proc/net/if_inet6") if addresses is None else addresses).split("\n")]
    return ("ipv4", "ipv6") if any(len(row) > 5 and row[3] == "00" for row in rows) else ("ipv4",)


def _run(command: tuple[str, ...]) -> str:
    """The output of a command as root; empty if it is not installed."""
    import subprocess

    if not os.path.exists(command[0]):
        return ""
    argv = list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreadable(f"{os.path.basename(command[0])} does not answer: {error}") from None
    if done.returncode and argv[0] == "sudo" and done.stderr.startswith("sudo:"):
        raise Unreadable("only root may read the rules of the firewall")
    return done.stdout if done.returncode == 0 else ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def program(words: list[str]) -> int:
    """For install.sh: print `sentence<TAB>fix` for each port that is closed; return 1 if there is any."""
    try:
        closed = [barrier for barrier in barriers([int(word) for word in words]) if barrier.nobody]
    except Unreadable as error:
        print(f"the rules of the firewall cannot be read ({error})", file=sys.stderr)
        return 0
    for barrier in closed:
        print(f"{barrier.said}\t{barrier.fix}")
    return 1 if closed else 0
