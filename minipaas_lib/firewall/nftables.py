"""Rules as `nft -j list ruleset` prints them (libnftables-json(5))."""

import functools
import json

from minipaas_lib.firewall import rules
from minipaas_lib.firewall.rules import MAYBE, NO, YES, Base, Packet, Rule, Unreadable

_FAMILIES = {"ipv4": ("ip", "inet"), "ipv6": ("ip6", "inet")}
_VERDICTS = {
    "accept": rules.ACCEPT,
    "drop": rules.DROP,
    "reject": rules.DROP,
    "return": rules.RETURN,
    "continue": rules.NEXT,
}
_UNKNOWN = object()
_NONE = object()  # the packet has no such field


def bases(text: str, packet: Packet, elsewhere: set[tuple[str, str]]) -> list[Base]:
    """The chains that a packet for this host passes, without tables that are read elsewhere. Raises Unreadable."""
    if not text.strip():
        return []
    try:
        return _bases(_listed(text), packet, elsewhere)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"the output of nft cannot be parsed: {type(error).__name__} {error}") from None


@functools.lru_cache(maxsize=1)
def _listed(text: str) -> list[tuple[str, dict]]:
    """The objects in order, cached: a list of blocked addresses may be long, and several ports are checked."""
    return [(kind, body) for entry in json.loads(text)["nftables"] for kind, body in entry.items()]


def _bases(listed: list, packet: Packet, elsewhere: set) -> list[Base]:
    tables: dict[tuple[str, str], dict[str, list[Rule]]] = {}
    sets: dict[tuple[str, str], dict[str, list]] = {}
    dormant, hooked = set(), []
    for kind, body in listed:
        if kind == "table" and "dormant" in body.get("flags", []):
            dormant.add((body["family"], body["name"]))
        where = (body.get("family", ""), body.get("table", ""))
        if kind == "chain":
            tables.setdefault(where, {})[body["name"]] = []
            if body.get("hook") in ("input", "prerouting") and body.get("type") == "filter":
                hooked.append(body)
        elif kind in ("set", "map"):
            sets.setdefault(where, {})[body["name"]] = body.get("elem", [])
    for kind, body in listed:
        if kind == "rule":
            where = (body["family"], body["table"])
            tables[where][body["chain"]] += _rules(body.get("expr", []), packet, sets.get(where, {}))
    return [
        Base(
            body["family"],
            body["table"],
            body["name"],
            rules.DROP if body.get("policy") == "drop" else rules.ACCEPT,
            tables[body["family"], body["table"]],
            True,
        )
        for body in hooked
        if body["family"] in _FAMILIES[packet.family] and not {(body["family"], body["table"])} & (elsewhere | dormant)
    ]


def _rules(statements: list, packet: Packet, sets: dict) -> list[Rule]:
    """The rules of a list of statements: all matches must hold for a verdict; a verdict map has several."""
    holds, limited, made = YES, False, []
    for statement in statements:
        for kind, body in statement.items():
            if kind == "match":
                holds = min(holds, _matches(body, packet, sets))
            elif kind in ("limit", "quota", "connlimit", "ct count"):
                limited = True
            elif kind == "xt":
                holds = min(holds, MAYBE)  # an extension of iptables: its condition is not shown
            elif kind in _VERDICTS:
                surely = holds if kind == "accept" or not limited else min(holds, MAYBE)
                made.append(Rule(surely, _VERDICTS[kind]))
            elif kind in ("jump", "goto"):
                surely = min(holds, MAYBE) if limited else holds
                made.append(Rule(surely, rules.JUMP if kind == "jump" else rules.GOTO, body["target"]))
            elif kind == "vmap":
                made += _by_map(body, holds, packet, sets)
            elif kind == "queue":
                made += [Rule(min(holds, MAYBE), rules.DROP), Rule(holds, rules.ACCEPT)]
    return made


def _by_map(body: dict, holds: int, packet: Packet, sets: dict) -> list[Rule]:
    """The verdicts of a map, each with whether its key matches the packet; `*` matches if no other key does."""
    made, value, data = [], _value(body["key"], packet), body["data"]
    pairs = sets.get(data[1:], []) if isinstance(data, str) else data["set"]
    fits = [_is_in(value, key, packet, sets) for key, _ in pairs if key != "*"]
    other = rules.negated(max(fits, default=NO))
    for key, verdict in pairs:
        match = min(holds, other if key == "*" else _is_in(value, key, packet, sets))
        made += [Rule(min(match, rule.holds), rule.verdict, rule.target) for rule in _rules([verdict], packet, sets)]
    return made


def _matches(body: dict, packet: Packet, sets: dict) -> int:
    """Whether {"op", "left", "right"} holds."""
    left, right, op = body["left"], body["right"], body.get("op", "==")
    if isinstance(left, dict) and "&" in left:
        holds = _masked(left["&"], right)
    elif op in ("<", ">", "<=", ">="):
        holds = _compared(_value(left, packet), op, right)
    else:
        holds = _is_in(_value(left, packet), right, packet, sets)
    if op == "!=":
        return NO if _value(left, packet) is _NONE else rules.negated(holds)
    return holds


def _masked(sides: list, right: object) -> int:
    """`tcp flags & (fin | syn | rst | ack) == syn`; MAYBE for any other mask."""
    if sides[0] != {"payload": {"protocol": "tcp", "field": "flags"}}:
        return MAYBE
    return rules.flags_hold(_names(sides[1]), _names(right))


def _names(side: object) -> set[str]:
    if isinstance(side, dict) and "|" in side:
        return set().union(*map(_names, side["|"]))
    if isinstance(side, list):
        return set().union(*map(_names, side))
    return {side} if isinstance(side, str) else set()


def _compared(value: object, op: str, right: object) -> int:
    if value is _NONE:
        return NO
    if not isinstance(value, int) or not isinstance(right, int):
        return MAYBE
    return YES if {"<": value < right, ">": value > right, "<=": value <= right, ">=": value >= right}[op] else NO


def _value(left: object, packet: Packet) -> object:
    """The packet's value for the left side of a match; _UNKNOWN if that depends on the visitor."""
    if not isinstance(left, dict) or len(left) != 1:
        return _UNKNOWN
    ((kind, body),) = left.items()
    if kind == "payload":
        return _payload(body.get("protocol"), body.get("field"), packet)
    key = str(body.get("key")) if isinstance(body, dict) else ""
    if kind == "ct":
        return {"state": "new", "status": _NONE}.get(key, _UNKNOWN)
    if kind == "meta":
        known = {
            "l4proto": "tcp",
            "nfproto": packet.family,
            "protocol": packet.family.replace("v4", ""),
            "pkttype": "host",
            "iifname": packet,
            "iif": packet,
            "oifname": _NONE,
            "oif": _NONE,
        }
        return known.get(key, _UNKNOWN)
    if kind == "fib" and body.get("result") == "type" and body.get("flags") == ["daddr"]:
        return "local"
    return _UNKNOWN


def _payload(protocol: object, field: object, packet: Packet) -> object:
    if protocol in ("tcp", "th"):
        return {"dport": packet.port, "flags": "syn"}.get(str(field), _UNKNOWN)
    ip_version = {"ipv4": "ip", "ipv6": "ip6"}[packet.family]
    if protocol != ip_version:
        return _UNKNOWN if protocol in ("ether", "vlan", None) else _NONE
    return "tcp" if field in ("protocol", "nexthdr") else _UNKNOWN


def _is_in(value: object, right: object, packet: Packet, sets: dict) -> int:
    """Whether the value is, or is among, the right side of a match."""
    if value is _NONE:
        return NO
    if isinstance(right, str) and right.startswith("@"):
        right = sets.get(right[1:], [])
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    if isinstance(right, list):
        return max((_is_in(value, item, packet, sets) for item in right), default=NO)
    if isinstance(right, dict) and "elem" in right:
        return _is_in(value, right["elem"]["val"], packet, sets)
    if value is packet:
        return rules.comes_by(right, packet, "*") if isinstance(right, str) else MAYBE
    if value is _UNKNOWN:
        return MAYBE
    if isinstance(right, dict) and "range" in right:
        low, high = right["range"]
        return (YES if low <= value <= high else NO) if isinstance(value, int) else MAYBE
    if isinstance(right, dict):
        return MAYBE
    return YES if value == right else NO
