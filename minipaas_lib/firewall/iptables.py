"""Rules as iptables-save(8) and ip6tables-save print them."""

import shlex

from minipaas_lib.firewall import rules
from minipaas_lib.firewall.rules import MAYBE, NO, YES, Base, Packet, Rule

_HOOKS = {"raw": ("PREROUTING",), "mangle": ("PREROUTING", "INPUT"), "filter": ("INPUT",), "security": ("INPUT",)}
_VERDICTS = {
    "ACCEPT": rules.ACCEPT,
    "DROP": rules.DROP,
    "REJECT": rules.DROP,
    "TARPIT": rules.DROP,
    "RETURN": rules.RETURN,
}
# Options that do not affect whether the rule holds.
_PLAIN = {
    "-m",
    "--match",
    "--comment",
    "--limit-burst",
    "--set",
    "--name",
    "--mask",
    "--hashlimit-burst",
    "--hashlimit-name",
}


def bases(text: str, packet: Packet) -> tuple[list[Base], set[tuple[str, str]]]:
    """The chains that a packet for this host passes, and the tables in the text, as (family, name) of nft. Pure."""
    chain_bases: list[Base] = []
    seen: set[tuple[str, str]] = set()
    chains: dict[str, list[Rule]] = {}
    policies: dict[str, str] = {}
    family, table = "ip" if packet.family == "ipv4" else "ip6", ""
    for line in text.split("\n"):
        if line.startswith("*"):
            table, chains, policies = line[1:].strip(), {}, {}
            seen.add((family, table))
        elif line.startswith(":") and len(words := line[1:].split()) > 1:
            chains[words[0]], policies[words[0]] = [], words[1]
        elif line.startswith("-A "):
            name, rule = _rule(line, packet, chains)
            chains.setdefault(name, []).append(rule)
        elif line.startswith("COMMIT"):
            for name in _HOOKS.get(table, ()):
                if name in chains:
                    policy = rules.DROP if policies.get(name) == "DROP" else rules.ACCEPT
                    chain_bases.append(Base(family, table, name, policy, chains, False))
    return chain_bases, seen


def _rule(line: str, packet: Packet, chains: dict) -> tuple[str, Rule]:
    """The chain and the rule of a line such as `-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT`."""
    try:
        words = (shlex.split(line) if set(line) & set("\"'\\") else line.split())[1:]  # shlex is slow
    except ValueError:
        return "", Rule(NO, rules.NEXT)
    name, words = (words[0], words[1:]) if words else ("", [])
    holds, limited, verdict, target = YES, False, rules.NEXT, ""
    while words:
        negated = words[0] == "!"
        option, words = (words[1] if negated and len(words) > 1 else words[0]), words[2 if negated else 1 :]
        end = next(
            (i for i, word in enumerate(words) if word == "!" or (word.startswith("-") and len(word) > 1)), len(words)
        )
        values, words = words[:end], words[end:]
        if option in ("-j", "-g", "--jump", "--goto"):
            verdict, target = _verdict(option, values[0] if values else "", chains)
            break  # the rest belongs to the target
        limited = limited or option in ("--limit", "--hashlimit-upto")
        truth = _holds(option, values, packet)
        holds = min(holds, rules.negated(truth) if negated else truth)
    if limited and verdict != rules.ACCEPT:
        holds = min(holds, MAYBE)
    return name, Rule(holds, verdict, target)


def _verdict(option: str, target: str, chains: dict) -> tuple[str, str]:
    if target in chains:
        return (rules.GOTO if option in ("-g", "--goto") else rules.JUMP), target
    return _VERDICTS.get(target, rules.NEXT), ""


def _holds(option: str, values: list[str], packet: Packet) -> int:
    """Whether one option of a rule holds for the packet."""
    value = values[0] if values else ""
    if option in _PLAIN or option in ("--limit", "--hashlimit-upto"):
        return YES
    if option in ("-p", "--protocol"):
        return rules.is_tcp(value)
    if option in ("-i", "--in-interface"):
        return rules.comes_by(value, packet, "+")
    if option in ("-o", "--out-interface"):
        return NO
    if option in ("--dport", "--dports", "--destination-port", "--destination-ports"):
        return YES if _port_among(value, packet.port) else NO
    if option in ("-s", "-d", "--source", "--destination"):
        return YES if value.endswith("/0") else MAYBE
    if option in ("--ctstate", "--state"):
        return YES if "NEW" in value.split(",") else NO
    if option == "--ctstatus":
        return NO
    if option == "--syn":
        return YES
    if option == "--tcp-flags":
        return rules.flags_hold(_flags(value), _flags(values[1] if len(values) > 1 else "")) if values else MAYBE
    if option == "--dst-type":
        return YES if "LOCAL" in value.split(",") else NO
    if option == "--pkt-type":
        return YES if value in ("unicast", "host") else NO
    return MAYBE


def _flags(text: str) -> set[str]:
    return {word.lower() for word in text.split(",") if word != "NONE"} | ({"syn"} if text == "ALL" else set())


def _port_among(text: str, port: int) -> bool:
    """Whether the port is in `80`, `8000:8100` or a list of those."""
    for part in text.split(","):
        low, colon, high = part.partition(":")
        if not (low or "0").isdigit() or not (high or "65535").isdigit():
            continue
        least = int(low or 0)
        if least <= port <= (int(high or 65535) if colon else least):
            return True
    return False
