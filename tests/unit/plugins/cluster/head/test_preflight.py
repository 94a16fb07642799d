"""What is said of a host and a cluster before anything is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.store.etcd_cluster import MemberState
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import preflight
from plugins.cluster.head.preflight import Facts

URLS = ("http://a:2379", "http://b:2379", "http://c:2379")
MEMBERS = tuple(MemberState(url, "3.4.23", url == URLS[0], True, "") for url in URLS)
SILENT = MemberState("http://d:2379", "", False, False, "connection refused")
MACHINES = (Machine("1" * 32, "10.0.0.1", {"node": "node1"}), Machine("2" * 32, "10.0.0.2", {}))
FINE = Facts(MEMBERS, {url: 0.2 for url in URLS}, MACHINES)


def wrong(facts: Facts) -> list[str]:
    return [f"{found.part}: {found.said}" for found in preflight.findings(facts) if not found.ok]


def test_all_is_well():
    assert wrong(FINE) == []
    assert [found.part for found in preflight.findings(FINE)] == [
        *(f"etcd {url}" for url in URLS),
        "clocks",
        "node node1",
        "node 22222222",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"members": (*MEMBERS[:2], SILENT)}, "etcd http://d:2379: connection refused"),
        ({"members": (MEMBERS[0], SILENT)}, "etcd quorum: 1 of 2 members serve, a majority is needed"),
        ({"members": ()}, "etcd quorum: 0 of 0 members serve, a majority is needed"),
        ({"owner": "host2"}, "etcd state: it contains the state of another head, host2"),
        ({"clocks": {URLS[0]: 11.0}}, "clock of http://a:2379: 11 seconds ahead of this host's"),
        ({"clocks": {URLS[0]: -60.0}}, "clock of http://a:2379: 60 seconds behind this host's"),
        ({"fleet": "fleet does not answer", "machines": ()}, "fleet: fleet does not answer"),
        ({"machines": ()}, "fleet: it knows no machine"),
        ({"machines": (Machine("1" * 32, "", {}),)}, "node 11111111: fleet does not know its address"),
        ({"frozen": {"blog": "holidays"}}, "app blog: is locked: holidays"),
        ({"interrupted": {"blog": "a command was killed"}}, "app blog: a command was killed"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_type(change, said):
    facts = FINE._replace(**change)
    assert said in wrong(facts)
    assert all(found.fix for found in preflight.findings(facts) if not found.ok)


def test_v2_that_is_off_is_not_a_server_that_is_down():
    facts = FINE._replace(members=(*MEMBERS[:2], SILENT._replace(version="3.5.0", reason="its v2 API is off")))
    (found,) = [found for found in preflight.findings(facts) if not found.ok]
    assert "ETCD_ENABLE_V2" in found.fix


@given(st.floats(-1e6, 1e6))
def test_clocks_may_differ_by_ten_seconds(ahead):
    assert bool(wrong(FINE._replace(clocks={URLS[0]: ahead}))) == (abs(ahead) > 10)


def test_a_clock_that_nobody_tells_is_no_fault():
    assert wrong(FINE._replace(clocks={URLS[0]: None})) == []
