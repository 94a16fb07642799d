"""Our client's calls against fleet on real nodes: the double and, where FLEETD names one, the real daemon, alike.

With the double alone most of this tests the double, which the unit part compares with what a real one said each time
(test_double_captures.py). So a sample runs. After a change of fleet_double/, run all of it:

    sudo ./tests/run --cluster --all tests/cluster/test_fleet_api.py
"""

import json
import os
import random
import time
from pathlib import Path

import pytest

from minipaas_lib import errors
from plugins.cluster.fleet import client, unit_file
from plugins.cluster.fleet.client import INACTIVE, LAUNCHED, LOADED, Fleet
from plugins.cluster.fleet.unit_file import Option
from tests import sampling
from tests.cluster import nodes
from tests.cluster.conftest import REAL

SLEEP = [Option("Service", "ExecStart", "/bin/sleep infinity")]
LIMIT = 60  # seconds for fleet to carry something out; 2 to 7 where the machine has nothing else to do
RECORD = Path(__file__).parent / "captures" / "sequences.json"  # seed -> what a real fleetd made of that sequence
RECORDED = json.loads(RECORD.read_text()) if RECORD.exists() else {}
SEED = str(sampling.SEED)
if not REAL and SEED not in RECORDED:
    SEED = random.Random(SEED).choice(sorted(RECORDED))
STEPS = 40 if REAL and sampling.ALL else 6  # of a sequence; each waits until fleet is at rest

pytestmark = [] if REAL else pytest.mark.sample("fleet's API", 2)

transcripts: dict[str, list] = {}  # daemon -> what the sequence led to


def unit(*more, command="/bin/sleep infinity"):
    return [Option("Service", "ExecStart", command), *[Option("X-Fleet", name, value) for name, value in more]]


def until(what, condition, limit=LIMIT):
    """The first true answer of `condition`; for as long as fleet is away it has none."""
    end = time.monotonic() + limit
    while True:
        try:
            found = condition()
        except errors.Unavailable:
            found = None
        if found:
            return found
        assert time.monotonic() < end, f"waited {limit} s for {what}"
        time.sleep(0.3)


def set_state(fleet, name, desired):
    """Have a known unit in another state, without its options: nothing of ours asks for that, but fleet answers it."""
    status, answer = fleet._ask("PUT", f"/units/{name}", {"desiredState": desired})
    if status == 409:
        raise errors.NotFound(f"fleet has no unit {name}")
    fleet._expect(status, answer, 204, name)


@pytest.fixture
def fleet(cluster, daemon):
    """A client of all nodes' fleets, with no unit in the cluster before and after."""
    asked = Fleet(cluster.fleet)
    clear(asked, cluster)
    yield asked
    clear(asked, cluster)


def clear(fleet, cluster):
    """Destroy everything, and wait until systemd has let go of it too."""
    for one in fleet.units():
        fleet.destroy(one.name)
    until("all units to be gone", lambda: not fleet.units() and not fleet.states())

    until("the unit files to be gone", lambda: not any(node.exec("ls", "/run/fleet/units") for node in cluster.nodes))


def place(cluster, fleet, name):
    """The node that runs a unit, once systemd there says that it runs."""

    def running():
        found = [state for state in fleet.states() if state.name == name and state.sub == "running"]
        return found and fleet.unit(name).machine == found[0].machine and found[0].machine

    return cluster.node(until(f"{name} to run", running)).name


def test_machines(cluster, fleet):
    found = fleet.machines()
    assert [machine.id for machine in found] == sorted(node.machine for node in cluster.nodes)
    assert {machine.id: (machine.address, machine.metadata) for machine in found} == {
        node.machine: (node.address, {"node": node.name}) for node in cluster.nodes
    }


def test_the_life_of_a_unit(cluster, fleet):
    assert fleet.unit("a.service") is None
    assert fleet.submit("a.service", SLEEP) is True
    assert fleet.submit("a.service", SLEEP) is False
    node = cluster.node(place(cluster, fleet, "a.service"))
    assert node.exec("systemctl", "is-active", "a.service").strip() == "active"
    [state] = fleet.states(unit="a.service")
    assert state == ("a.service", node.machine, "loaded", "active", "running", unit_file.digest(SLEEP))
    found = until("launched", lambda: (u := fleet.unit("a.service")).current == LAUNCHED and u)
    assert found == ("a.service", LAUNCHED, LAUNCHED, node.machine, tuple(SLEEP))

    set_state(fleet, "a.service", LOADED)
    until("loaded", lambda: fleet.unit("a.service").current == LOADED and fleet.states()[0].active == "inactive")
    other = [Option("Unit", "Description", "another edition"), *SLEEP]
    assert fleet.submit("a.service", other) is True
    until(
        "the other edition",
        lambda: (s := fleet.states()) and s[0].hash == unit_file.digest(other) and s[0].sub == "running",
    )
    assert fleet.unit("a.service").machine == node.machine

    set_state(fleet, "a.service", INACTIVE)
    until("inactive", lambda: fleet.unit("a.service").current == INACTIVE and not fleet.states())
    assert fleet.unit("a.service").machine == "" and len(fleet.units()) == 1
    assert fleet.destroy("a.service") is True
    assert fleet.destroy("a.service") is False and fleet.units() == []
    with pytest.raises(errors.NotFound):
        set_state(fleet, "a.service", LAUNCHED)


def test_units_go_to_the_emptiest_machine_and_then_to_the_lowest_id(cluster, fleet):
    lowest_first = [cluster.node(machine.id).name for machine in fleet.machines()]
    for number in range(6):
        fleet.submit(f"u{number}.service", SLEEP)
        assert place(cluster, fleet, f"u{number}.service") == lowest_first[number % 3]


def test_where_a_unit_may_go(cluster, fleet):
    first, second, third = [cluster.node(machine.id) for machine in fleet.machines()]
    fleet.submit("pin.service", unit(("MachineID", second.machine)))
    fleet.submit("meta.service", unit(("MachineMetadata", f"node={third.name}")))
    assert (place(cluster, fleet, "pin.service"), place(cluster, fleet, "meta.service")) == (second.name, third.name)
    fleet.submit("peer.service", unit(("MachineOf", "meta.service")))
    fleet.submit("either.service", unit(("MachineMetadata", f'"node={second.name}" "node={third.name}"')))
    assert place(cluster, fleet, "peer.service") == third.name
    assert place(cluster, fleet, "either.service") == second.name  # the emptier of the two
    fleet.submit("shy.service", unit(("Conflicts", "p*.service")))
    assert place(cluster, fleet, "shy.service") == first.name
    fleet.submit("nowhere.service", unit(("MachineMetadata", "node=nope")))
    fleet.submit("all.service", unit(("Global", "true")))
    until("the global unit", lambda: len([s for s in fleet.states(unit="all.service") if s.sub == "running"]) == 3)
    assert (fleet.unit("nowhere.service").machine, fleet.unit("nowhere.service").current) == ("", INACTIVE)
    assert fleet.unit("all.service").current == ""
    with pytest.raises(errors.DeployFailed, match='peer "p.service" matches conflict "p.\\*"'):
        fleet.submit("x.service", unit(("MachineOf", "p.service"), ("Conflicts", "p.*")))


def test_as_many_that_refuse_each_other_as_machines_and_one_more(cluster, fleet):
    for number in range(4):
        fleet.submit(f"web.{number}.service", unit(("Conflicts", "web.*")))
    until("three to be placed", lambda: sum(bool(one.machine) for one in fleet.units()) == 3)
    placed = [one for one in fleet.units() if one.machine]
    assert {place(cluster, fleet, one.name) for one in placed} == {node.name for node in cluster.nodes}


def test_a_unit_that_replaces_another_pushes_it_away(cluster, fleet):
    fleet.submit("old.service", SLEEP)
    before = place(cluster, fleet, "old.service")
    fleet.submit("new.service", unit(("Replaces", "old.service"), ("MachineMetadata", f"node={before}")))
    assert place(cluster, fleet, "new.service") == before
    until("the old one elsewhere", lambda: place(cluster, fleet, "old.service") != before)


def test_metadata_changes_where_units_go(cluster, fleet):
    node = cluster.nodes[1]
    fleet.submit("disk.service", unit(("MachineMetadata", "disk=ssd")))
    fleet.set_metadata(node.machine, {"disk": "ssd"})
    try:
        assert place(cluster, fleet, "disk.service") == node.name
        assert {m.id: m.metadata for m in fleet.machines()}[node.machine] == {"node": node.name, "disk": "ssd"}
    finally:
        fleet.set_metadata(node.machine, {"disk": None})
    until("the unit to have no place", lambda: fleet.unit("disk.service").machine == "")
    assert {m.id: m.metadata for m in fleet.machines()}[node.machine] == {"node": node.name}


def test_pages(fleet):
    names = [f"p{number:03d}.service" for number in range(101)]
    for name in names[:100]:
        fleet.submit(name, SLEEP, INACTIVE)
    assert [one.name for one in fleet.units()] == names[:100]
    fleet.submit(names[100], SLEEP, INACTIVE)
    assert [one.name for one in fleet.units()] == names


def test_a_unit_that_fails_and_one_that_systemd_refuses(cluster, fleet):
    fleet.submit("fails.service", unit(command="/bin/false"))
    until(
        "it to fail",
        lambda: (s := fleet.states(unit="fails.service")) and (s[0].active, s[0].sub) == ("failed", "failed"),
    )
    assert fleet.unit("fails.service").current == LAUNCHED  # fleet's intent carried out, not health
    fleet.destroy("fails.service")
    until("its state to go", lambda: not fleet.states())


def test_a_killed_daemon_leaves_its_units_running_and_finds_them_again(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    before = node.exec("systemctl", "show", "-p", "MainPID", "a.service")
    node.exec("systemctl", "kill", "-s", "KILL", "fleet.service")
    assert node.exec("systemctl", "is-active", "a.service").strip() == "active"
    cluster.wait_ready(node.name)
    place(cluster, fleet, "a.service")
    moved = fleet.unit("a.service").machine != node.machine  # it was away for longer than the TTL
    assert moved or node.exec("systemctl", "show", "-p", "MainPID", "a.service") == before
    set_state(fleet, "a.service", INACTIVE)
    until("it to stop", lambda: node.exec("systemctl", "is-active", "a.service", check=False).strip() != "active")


def test_a_daemon_that_ends_in_order_gives_its_units_away(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    node.exec("systemctl", "stop", "fleet.socket", "fleet.service", timeout=90)
    try:
        assert node.exec("ls", "/run/fleet/units").split() == []
        assert len(fleet.machines()) == 2
        assert place(cluster, fleet, "a.service") != node.name
    finally:
        node.exec("systemctl", "start", "fleet.socket", "fleet.service")
        cluster.wait_ready()


def test_the_units_of_a_lost_node_run_elsewhere(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    cluster.kill(node.name)
    try:
        began = time.monotonic()
        until("the unit elsewhere", lambda: place(cluster, fleet, "a.service") != node.name)
        assert len(fleet.machines()) == 2
        print(f"elsewhere after {time.monotonic() - began:.1f} s")
    finally:
        cluster.boot(node.name)
    assert place(cluster, fleet, "a.service") != node.name  # it does not come back by itself


def test_a_node_that_was_cut_off_keeps_its_units_and_unloads_the_duplicates_when_it_is_back(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    cluster.cut_off(node.name)
    try:
        until("the unit elsewhere", lambda: place(cluster, fleet, "a.service") != node.name)
        assert node.exec("systemctl", "is-active", "a.service").strip() == "active"
    finally:
        cluster.heal(node.name)
    until("the duplicate to go", lambda: not node.exec("ls", "/run/fleet/units").split())
    assert node.exec("systemctl", "is-active", "a.service", check=False).strip() != "active"
    assert place(cluster, fleet, "a.service") != node.name


def test_a_frozen_node_is_given_up_and_lets_go_of_its_units_when_it_thaws(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    cluster.pause(node.name)
    try:
        with pytest.raises(errors.Unavailable, match="fleet does not answer"):
            Fleet(node.fleet).machines()
        until("the unit elsewhere", lambda: place(cluster, fleet, "a.service") != node.name)
    finally:
        cluster.unpause(node.name)
    until("the duplicate to go", lambda: not node.exec("ls", "/run/fleet/units").split())
    cluster.wait_ready()


def test_a_node_that_is_shut_down_in_order_gives_its_units_away_first(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    cluster.shutdown(node.name)
    try:
        assert node.machine not in [machine.id for machine in fleet.machines()]
        assert place(cluster, fleet, "a.service") != node.name
    finally:
        cluster.boot(node.name)


def test_a_node_whose_member_of_etcd_is_away_asks_the_others(cluster, fleet):
    node = cluster.nodes[0]
    alone = Fleet(node.fleet)
    node.exec("systemctl", "stop", "etcd.service")
    try:
        assert alone.submit("a.service", SLEEP, INACTIVE) is True
        time.sleep(15)  # longer than its TTL
        assert len(alone.machines()) == len(fleet.machines()) == 3, "nobody misses it"
    finally:
        node.exec("systemctl", "start", "etcd.service")
        cluster.wait_ready()


def test_a_node_that_reaches_no_etcd_says_so_and_another_answers(cluster, fleet):
    node = cluster.nodes[0]
    alone = Fleet(node.fleet)
    cluster.cut_off(node.name, "etcd")
    node.exec("systemctl", "stop", "etcd.service")
    try:
        for call in (alone.machines, alone.units, lambda: alone.submit("a.service", SLEEP, INACTIVE)):
            with pytest.raises(errors.Unavailable, match="cannot reach etcd"):
                call()
        assert fleet.submit("a.service", SLEEP, INACTIVE) is True
    finally:
        cluster.heal(node.name)
        node.exec("systemctl", "start", "etcd.service")
        cluster.wait_ready()


def test_without_quorum_nothing_changes_and_what_runs_goes_on(cluster, fleet):
    fleet.submit("a.service", SLEEP)
    node = cluster.node(place(cluster, fleet, "a.service"))
    before = node.exec("systemctl", "show", "-p", "MainPID", "a.service")
    others = [other for other in cluster.nodes if other is not node]
    for other in others:
        other.exec("systemctl", "stop", "etcd.service")
    try:
        for call in (
            fleet.units,
            lambda: fleet.submit("b.service", SLEEP),
            lambda: set_state(fleet, "a.service", INACTIVE),
        ):
            began = time.monotonic()
            with pytest.raises(errors.Unavailable):
                call()
            assert time.monotonic() - began < 30
        assert node.exec("systemctl", "show", "-p", "MainPID", "a.service") == before
    finally:
        for other in others:
            other.exec("systemctl", "start", "etcd.service")
        cluster.wait_ready()
    # What was refused may be carried out now: etcd had kept the writes. Whoever asked has to say again what is to be.
    # The keys of living agents may have ended too; then the unit is started anew, somewhere.
    for name in ("a.service", "b.service"):
        fleet.submit(name, SLEEP)
        place(cluster, fleet, name)


def test_a_poisoned_unit_is_named(cluster, fleet):
    fleet.submit("a.service", SLEEP, INACTIVE)
    etcd = ["env", "ETCDCTL_API=2", "etcdctl", "set", "/_coreos.com/fleet/job/a.service/target-state"]
    cluster.nodes[0].exec(*etcd, "running")
    try:
        with pytest.raises(errors.Unavailable, match="cannot read the unit a.service"):
            fleet.destroy("a.service")
        assert fleet.units() == []
    finally:
        cluster.nodes[0].exec(*etcd, "inactive")
    assert fleet.destroy("a.service")


@pytest.mark.timeout(1200)
def test_random_operations_lead_to_the_same_end(cluster, fleet, daemon):
    """A printed seed draws the calls; after each, what fleet has made of them is the same with both daemons.

    Where the real one is not here, the seed is one of those for which is recorded what it did.
    """
    print(f"MINIPAAS_SEED={SEED}")
    drawn = random.Random(SEED)
    transcript = json.loads(json.dumps([step(cluster, fleet, drawn) for _ in range(STEPS)]))
    if daemon == "real" and os.environ.get("MINIPAAS_RECORD"):
        RECORD.write_text(json.dumps(RECORDED | {SEED: transcript}, indent=0, sort_keys=True) + "\n")
    others = transcripts | ({"the record": RECORDED[SEED]} if SEED in RECORDED else {})
    for kind, other in others.items():
        for mine, its in zip(transcript, other, strict=False):
            assert mine == its, f"{daemon} and {kind} part, seed {SEED}"
    transcripts[daemon] = transcript


def step(cluster, fleet, drawn):
    """One call drawn at random, and what it led to: (call, units, states), machines by their nodes' names."""
    name = drawn.choice("abcd") + ".service"
    options = drawn.choice(
        [
            SLEEP,
            unit(("MachineMetadata", "node=node2")),
            unit(("Conflicts", "?.service")),
            unit(("Conflicts", "[ab].service")),
            unit(("MachineOf", "a.service")),
            unit(("Global", "yes")),
            unit(("MachineID", cluster.nodes[0].machine[:8])),
            unit(command="/bin/true"),
        ]
    )
    state = drawn.choice(client.STATES)
    call = drawn.choice(["submit", "submit", "submit", "set_state", "destroy"])
    try:
        if call == "submit":
            result = fleet.submit(name, options, state)
        elif call == "set_state":
            result = set_state(fleet, name, state)
        else:
            result = fleet.destroy(name)
    except (errors.DeployFailed, errors.NotFound) as error:
        result = error.message
    return (
        call,
        name,
        state if call != "destroy" else "",
        options if call == "submit" else "",
        result,
        settled(cluster, fleet),
    )


def settled(cluster, fleet):
    """What fleet says when it has said the same for longer than its slowest clock (5 s), twice over."""

    def view():
        where = {node.machine: node.name for node in cluster.nodes} | {"": ""}
        units = [(u.name, u.desired, u.current, where[u.machine]) for u in fleet.units()]
        states = [(s.name, where[s.machine], s.load, s.active, s.sub, s.hash) for s in fleet.states()]
        return units, states

    last, since = view(), time.monotonic()
    end = since + LIMIT
    while time.monotonic() - since < 9:
        assert time.monotonic() < end, f"fleet does not come to rest: {last}"
        time.sleep(0.5)
        now = view()
        if now != last:
            last, since = now, time.monotonic()
    return last


def test_nodes_have_what_coreos_has_and_no_python(cluster):
    for node in cluster.nodes:
        assert node.exec("sh", "-c", "command -v python3 python nginx minipaas; true") == ""
        node.exec("sh", "-c", "command -v docker systemctl etcdctl")


def test_what_a_dead_test_run_left_is_removed(cluster):
    label = f"{nodes.LABEL}=gone"
    nodes.docker("network", "create", "--internal", "--label", label, "--label", "owner=1:1", "mpc-gone")
    nodes.remove_orphans()
    assert nodes.docker("network", "ls", "-q", "--filter", f"label={label}") == ""
    assert nodes.docker("network", "ls", "-q", "--filter", f"label={nodes.LABEL}={cluster.name}")
