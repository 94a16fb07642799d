"""Whether this host's firewall lets strangers in, read from its rules: a request from inside proves nothing.

install.sh runs this module with the host's own Python before anything is installed, so it needs nothing but itself.
What a provider's firewall in front of the host does cannot be seen from here.
"""

import functools
import os
import sys
from typing import NamedTuple

from minipaas_lib.firewall import iptables, nftables
from minipaas_lib.firewall.rules import CLOSED, OPEN, Base, Packet, judge
from minipaas_lib.firewall.rules import Unreadable as Unreadable  # what barriers() raises is part of the face

_NFT = ("/usr/sbin/nft", "-j", "list", "ruleset")
_SAVERS = {
    "ipv4": ("/usr/sbin/iptables-nft-save", "/usr/sbin/iptables-legacy-save"),
    "ipv6": ("/usr/sbin/ip6tables-nft-save", "/usr/sbin/ip6tables-legacy-save"),
}
COMMANDS = (_NFT, *((path,) for paths in _SAVERS.values() for path in paths))
"""Every command by which the rules are read; sudo lets paas run each with just these words."""
_TIMEOUT = 10.0  # seconds


class Barrier(NamedTuple):
    """What the firewall does to those who come from outside to a port."""

    port: int
    nobody: bool  # else some may be let in, by their address or what else cannot be told from here
    family: str  # "ipv4", "ipv6", or "" for both
    tool: str  # ufw, firewalld, nftables or iptables
    fix: str  # the command, as root, that opens the port

    @property
    def said(self) -> str:
        over = {"ipv4": " over IPv4", "ipv6": " over IPv6", "": ""}[self.family]
        whom = "nobody" if self.nobody else "only some"
        return f"the firewall ({self.tool}) lets {whom} in on port {self.port}{over}"


class Texts(NamedTuple):
    """What the commands printed."""

    nft: str = ""
    saved: tuple[tuple[str, str], ...] = ()  # (family, output of iptables-save)


def barriers(ports: "list[int]") -> list[Barrier]:
    """What keeps strangers from the TCP ports, in their order. Raises Unreadable where the rules cannot be read."""
    return [found for port in ports if (found := judged(read(), port, outside(), families()))]


def judged(texts: Texts, port: int, interfaces: frozenset[str], present: tuple[str, ...]) -> Barrier | None:
    """What keeps strangers from a port, by the recorded rules; None where it is open. Pure. Raises Unreadable."""
    found = []
    for family in present:
        packet = Packet(port, family, interfaces)
        bases = bases_of(texts, packet)
        verdict, base = judge(bases)
        if verdict != OPEN and base is not None:
            found.append((family, verdict == CLOSED, base, tool_of(bases, base)))
    if not found:
        return None
    family, nobody, base, tool = found[0]
    both = len(found) == len(present) and len({one[1] for one in found}) == 1
    return Barrier(port, nobody, "" if both else family, tool, _fix(tool, base, family, port))


def bases_of(texts: Texts, packet: Packet) -> list[Base]:
    """All chains that a packet for this host passes. What iptables keeps in nftables is read as iptables shows it."""
    bases, known = [], set()
    for family, text in texts.saved:
        if family == packet.family:
            more, tables = iptables.bases(text, packet)
            bases += more
            known |= tables
    return bases + nftables.bases(texts.nft, packet, known)


def tool_of(bases: list[Base], base: Base) -> str:
    """Who looks after the rules, and so who must be asked to open a port."""
    chains = {name for one in bases for name in one.chains}
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
    """The rules of this host as they are now. Raises Unreadable."""
    nft = _run(_NFT)
    saved = [(family, _run((path,))) for family, paths in _SAVERS.items() for path in paths]
    return Texts(nft, tuple(saved))


def outside(table: str | None = None, table6: str | None = None) -> frozenset[str]:
    """The interfaces that the default routes go through, from /proc/net/route and /proc/net/ipv6_route."""
    found = set()
    for line in (_text("/proc/net/route") if table is None else table).split("\n")[1:]:
        row = line.split()
        if len(row) > 7 and row[1] == row[7] == "00000000":
            found.add(row[0])
    for line in (_text("/proc/net/ipv6_route") if table6 is None else table6).split("\n"):
        row = line.split()
        if len(row) > 9 and row[0] == "0" * 32 and row[1] == "00" and row[9] != "lo":
            found.add(row[9])
    return frozenset(found)


def families(addresses: str | None = None) -> tuple[str, ...]:
    """IPv4, and IPv6 where the host has an address that others reach, from /proc/net/if_inet6."""
    rows = [line.split() for line in (_text("/proc/net/if_inet6") if addresses is None else addresses).split("\n")]
    return ("ipv4", "ipv6") if any(len(row) > 5 and row[3] == "00" for row in rows) else ("ipv4",)


def _run(command: tuple[str, ...]) -> str:
    """What a command says as root; nothing where it is not installed."""
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
    """For install.sh: print `sentence<TAB>fix` for each of the ports that nobody comes in by; 1 where there is one."""
    try:
        found = [barrier for barrier in barriers([int(word) for word in words]) if barrier.nobody]
    except Unreadable as error:
        print(f"the rules of the firewall cannot be read ({error})", file=sys.stderr)
        return 0
    for barrier in found:
        print(f"{barrier.said}\t{barrier.fix}")
    return 1 if found else 0
