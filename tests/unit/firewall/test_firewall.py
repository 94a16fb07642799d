"""Who gets in, by the rules that real tools made: recorded on Debian 12: docker, ufw, firewalld, nft and iptables."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import firewall
from minipaas_lib.firewall import Texts, rules

RECORDED = Path(__file__).parent / "recorded"
EXTERNAL = frozenset({"eth0"})


def recorded(name: str) -> Texts:
    """All that the commands printed on a host in that state."""

    def text(end: str) -> str:
        path = RECORDED / f"{name}.{end}"
        return path.read_text() if path.exists() else ""

    return Texts(text("json"), (("ipv4", text("ip4")), ("ipv6", text("ip6"))))


def ruling(texts: Texts, port: int, families=("ipv4",), interfaces=EXTERNAL) -> str:
    barrier = firewall.judged(texts, port, interfaces, families)
    return "open" if barrier is None else "closed" if barrier.nobody else "limited"


@pytest.mark.parametrize("name", ["docker", "none"])
def test_a_host_without_a_firewall_is_open(name):
    assert ruling(recorded(name), 80, ("ipv4", "ipv6")) == "open"


@pytest.mark.parametrize(
    ("name", "port", "expected"),
    [
        ("ufw", 22, "open"),
        ("ufw", 80, "open"),
        ("ufw", 443, "closed"),
        ("ufw", 8080, "open"),  # ufw limit
        ("ufw", 9000, "limited"),  # ufw allow from
        ("firewalld", 22, "open"),
        ("firewalld", 80, "open"),
        ("firewalld", 443, "closed"),
        ("nft", 22, "open"),
        ("nft", 23, "closed"),
        ("nft", 80, "open"),
        ("nft", 8050, "open"),  # an interval in a named set
        ("nft", 8101, "closed"),
        ("nft", 7000, "open"),  # a named map
        ("nft", 7001, "closed"),
        ("nft", 9000, "limited"),
        ("nft", 9100, "open"),
        ("nft", 9101, "closed"),  # != eth0
        ("nft", 9200, "open"),
        ("nft", 9300, "closed"),  # UDP
        ("nft", 9400, "closed"),  # IPv6 alone
        ("nft", 9500, "open"),
        ("iptables-nft", 22, "open"),
        ("iptables-nft", 80, "closed"),
        ("iptables-nft", 443, "open"),
        ("iptables-nft", 8001, "open"),
        ("iptables-nft", 9000, "limited"),
        ("iptables-nft", 9100, "open"),
        ("iptables-nft", 9101, "closed"),
        ("iptables-nft", 9300, "closed"),
        ("iptables-nft", 9600, "open"),  # ! --dport, and -g
        ("iptables-legacy", 80, "closed"),
        ("iptables-legacy", 443, "open"),
    ],
)
def test_who_gets_in(name, port, expected):
    assert ruling(recorded(name), port) == expected


def test_each_family_has_rules_of_its_own():
    assert ruling(recorded("nft"), 9400, ("ipv6",)) == "open"
    barrier = firewall.judged(recorded("nft"), 9400, EXTERNAL, ("ipv4", "ipv6"))
    assert barrier.said == "the firewall (nftables) lets nobody in on port 9400 over IPv4"
    assert firewall.judged(recorded("ufw"), 443, EXTERNAL, ("ipv4", "ipv6")).family == ""


@pytest.mark.parametrize(
    ("name", "tool", "fix"),
    [
        ("ufw", "ufw", "ufw allow 81/tcp"),
        ("firewalld", "firewalld", "firewall-cmd --permanent --add-port=81/tcp && firewall-cmd --reload"),
        ("nft", "nftables", "nft insert rule inet filter input tcp dport 81 accept"),
        ("iptables-nft", "iptables", "iptables -I INPUT -p tcp --dport 81 -j ACCEPT"),
    ],
)
def test_the_fix_is_the_command_of_who_keeps_the_rules(name, tool, fix):
    barrier = firewall.judged(recorded(name), 81, EXTERNAL, ("ipv4",))
    assert (barrier.tool, barrier.fix) == (tool, fix)


def iptables(*lines: str, policy: str = "DROP") -> Texts:
    text = f"*filter\n:INPUT {policy} [0:0]\n:OTHER - [0:0]\n" + "".join(f"-A {line}\n" for line in lines) + "COMMIT\n"
    return Texts("", (("ipv4", text),))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "closed"),
        (["INPUT -j ACCEPT"], "open"),
        (['INPUT -j LOG --log-prefix "-j ACCEPT"'], "closed"),
        (["INPUT -i lo -j ACCEPT", "INPUT -i docker0 -j ACCEPT", "INPUT -i br-12ab -j ACCEPT"], "closed"),
        (["INPUT ! -i lo -j ACCEPT"], "open"),
        (["INPUT -i wg0 -j ACCEPT"], "limited"),
        (["INPUT -i eth+ -j ACCEPT"], "open"),
        (["INPUT -s 0.0.0.0/0 -j ACCEPT"], "open"),
        (["INPUT -m set --match-set friends src -j ACCEPT"], "limited"),
        (["INPUT -m set --match-set foes src -j DROP", "INPUT -j ACCEPT"], "open"),
        (["INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"], "closed"),
        (["INPUT -m state --state NEW,ESTABLISHED -j ACCEPT"], "open"),
        (["INPUT -p tcp -m multiport --dports 22,70:90 -j ACCEPT"], "open"),
        (["INPUT -p tcp -m multiport ! --dports 22,70:90 -j ACCEPT"], "closed"),
        (["INPUT -p udp -m udp --dport 80 -j ACCEPT"], "closed"),
        (["INPUT -j OTHER", "OTHER -p tcp -j RETURN", "OTHER -j ACCEPT"], "closed"),
        (["INPUT -j OTHER", "INPUT -j ACCEPT", "OTHER -s 10.0.0.0/8 -j RETURN", "OTHER -j REJECT"], "limited"),
        (["INPUT -g OTHER", "INPUT -j ACCEPT"], "closed"),
        (["INPUT -j OTHER", "OTHER -j OTHER", "INPUT -j ACCEPT"], "open"),
        (["INPUT -j 'unbalanced"], "closed"),
        (["INPUT -m limit --limit 5/sec -j DROP", "INPUT -j ACCEPT"], "open"),
    ],
)
def test_rules_of_iptables(lines, expected):
    assert ruling(iptables(*lines), 80) == expected


def test_every_table_must_let_it_pass():
    raw = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp --dport 80 -j DROP\nCOMMIT\n"
    assert ruling(Texts("", (("ipv4", raw + iptables("INPUT -j ACCEPT").saved[0][1]),)), 80) == "closed"


def nft(*expressions, policy="drop", hook="input", flags=()):
    chain = {"family": "inet", "table": "t", "name": "c", "type": "filter", "hook": hook, "policy": policy}
    listed = [{"metainfo": {}}, {"table": {"family": "inet", "name": "t", "flags": list(flags)}}, {"chain": chain}]
    listed += [{"rule": {"family": "inet", "table": "t", "chain": "c", "expr": list(expr)}} for expr in expressions]
    return Texts(json.dumps({"nftables": listed}))


def match(left, right, op="=="):
    return {"match": {"op": op, "left": left, "right": right}}


DPORT = {"payload": {"protocol": "th", "field": "dport"}}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (nft(), "closed"),
        (nft(hook="forward"), "open"),
        (nft(flags=["dormant"]), "open"),
        (nft([match(DPORT, {"range": [1, 100]}), {"accept": None}]), "open"),
        (nft([match(DPORT, 100, "<"), {"accept": None}]), "open"),
        (nft([match(DPORT, 80, "!="), {"accept": None}]), "closed"),
        (nft([match({"payload": {"protocol": "udp", "field": "dport"}}, 81, "!="), {"accept": None}]), "closed"),
        (nft([{"vmap": {"key": DPORT, "data": {"set": [[22, {"drop": None}], ["*", {"accept": None}]]}}}]), "open"),
        (nft([{"vmap": {"key": DPORT, "data": {"set": [[80, {"drop": None}], ["*", {"accept": None}]]}}}]), "closed"),
        (nft([{"xt": {"type": "match", "name": "geoip"}}, {"accept": None}]), "limited"),
        (nft([{"queue": {"num": 1}}]), "open"),
        (nft([{"reject": {"type": "tcp reset"}}], policy="accept"), "closed"),
        (nft([match({"meta": {"key": "mark"}}, 7), {"accept": None}]), "limited"),
        (nft([{"limit": {"rate": 1}}, {"drop": None}], policy="accept"), "open"),
        (nft([match({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), {"accept": None}]), "open"),
    ],
)
def test_rules_of_nftables(texts, expected):
    assert ruling(texts, 80) == expected


@pytest.mark.parametrize("text", ["{", "[]", '{"nftables": [1]}', '{"nftables": [{"rule": {}}]}', "[" * 100_000])
def test_what_nft_should_not_print_is_said(text):
    with pytest.raises(rules.Unreadable):
        ruling(Texts(text), 80)


@given(
    st.lists(
        st.sampled_from(
            [
                "INPUT",
                "OTHER",
                "-j",
                "-g",
                "ACCEPT",
                "DROP",
                "OTHER",
                "!",
                "-p",
                "tcp",
                "--dport",
                "80",
                "-s",
                "x",
                "'",
                "-i",
            ]
        ),
        max_size=12,
    ),
    st.text(max_size=40),
)
@settings(max_examples=40, deadline=None)
def test_any_line_of_iptables_is_taken(words, text):
    assert ruling(iptables(" ".join(words), "INPUT " + text.replace("\n", " ")), 80) in ("open", "limited", "closed")


def test_interfaces_of_the_default_routes():
    table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    table += (
        "ens3\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    six = f"{'0' * 32} 00 {'0' * 32} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     ens4\n"
    six += f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 00000001 00000000 00200200       lo\n"
    assert firewall.outside(table, six) == {"ens3", "ens4"}
    assert firewall.families("00000000000000000000000000000001 01 80 10 80       lo\n") == ("ipv4",)
    assert firewall.families("20010db8000000000000000000000001 02 40 00 80     ens3\n") == ("ipv4", "ipv6")


def test_who_may_not_read_the_rules_is_told_so(monkeypatch, tmp_path):
    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(rules.Unreadable, match="only root"):
        firewall._run(("/bin/sh",))
    assert firewall._run(("/no/such/command",)) == ""
