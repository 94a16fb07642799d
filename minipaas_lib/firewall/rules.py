"""Whether a firewall's rules let a new TCP connection from outside in. Pure.

Each rule holds for the packet, does not, or may: whether an unknown visitor's address is in a list cannot be known.
"""

from typing import NamedTuple

NO, MAYBE, YES = 0, 1, 2
OPEN, LIMITED, CLOSED = "open", "limited", "closed"
ACCEPT, DROP, JUMP, GOTO, RETURN, NEXT = "accept", "drop", "jump", "goto", "return", "next"
_INTERNAL = ("lo", "docker", "br-", "veth", "virbr", "cni", "podman")


class Unreadable(Exception):
    """The rules cannot be read."""


class Packet(NamedTuple):
    """The first packet of a TCP connection to this host."""

    port: int
    family: str  # ipv4 or ipv6
    interfaces: frozenset[str]  # those that visitors come in by


class Rule(NamedTuple):
    holds: int  # NO, MAYBE or YES
    verdict: str
    target: str = ""  # the chain of JUMP and GOTO


class Base(NamedTuple):
    """A chain that the kernel calls, and the chains of its table."""

    family: str  # as nft names it: ip, ip6 or inet
    table: str
    name: str
    policy: str  # ACCEPT or DROP
    chains: "dict[str, list[Rule]]"
    native: bool  # of nftables itself, not of iptables


def judge(bases: list[Base]) -> tuple[str, Base | None]:
    """OPEN, LIMITED or CLOSED, and the chain that decides it. All base chains must let the packet pass."""
    limited = None
    for base in bases:
        if _outcomes(base, MAYBE) == {DROP}:
            return CLOSED, base
        if limited is None and DROP in _outcomes(base, YES):
            limited = base
    return (LIMITED, limited) if limited else (OPEN, None)


def _outcomes(base: Base, least: int) -> set[str]:
    """The possible outcomes for the packet; only rules with at least that certainty count."""
    known: dict[str, set[str]] = {}
    outcomes = _walk(base.chains, base.name, least, known)
    return (outcomes - {RETURN}) | ({base.policy} if RETURN in outcomes else set())


def _walk(chains: "dict[str, list[Rule]]", name: str, least: int, known: "dict[str, set[str]]") -> set[str]:
    """The outcomes of a chain: ACCEPT, DROP, or RETURN if its end is reached. The kernel allows no cycles."""
    if name in known:
        return known[name]
    known[name] = {RETURN}  # for a cycle, which cannot exist
    outcomes: set[str] = set()
    for rule in chains.get(name, []):
        if rule.holds < least or rule.verdict == NEXT:
            continue
        called = rule.verdict in (JUMP, GOTO)
        result = _walk(chains, rule.target, least, known) if called else {rule.verdict}
        outcomes |= result - {RETURN} if rule.verdict == JUMP else result
        if rule.holds == YES and not (rule.verdict == JUMP and RETURN in result):
            break
    else:
        outcomes.add(RETURN)
    known[name] = outcomes
    return outcomes


def negated(holds: int) -> int:
    return YES - holds


def comes_by(pattern: str, packet: Packet, wildcard: str) -> int:
    """Whether a visitor's packet comes in by an interface that matches the pattern, which may end in a wildcard."""
    prefix = pattern.removesuffix(wildcard) if pattern.endswith(wildcard) else None
    named = {name for name in packet.interfaces if name == pattern or (prefix is not None and name.startswith(prefix))}
    if named:
        return YES if named == packet.interfaces else MAYBE
    return NO if pattern.startswith(_INTERNAL) else MAYBE


def is_tcp(protocol: str) -> int:
    return YES if protocol.lower() in ("tcp", "6", "all", "0") else NO


def flags_hold(mask: "set[str]", expected: "set[str]") -> int:
    """Whether a match on flags holds for the first packet of a connection, which has only SYN."""
    return YES if mask & {"syn"} == expected else NO
