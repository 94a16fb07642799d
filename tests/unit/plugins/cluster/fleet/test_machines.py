"""What of ours runs on all machines: units of fleet, and what is told of them."""

import pytest

from minipaas_lib import errors
from plugins.cluster.fleet import client, machines, unit_file, units

ONE, TWO = "1" * 32, "2" * 32


class Fleet:
    def __init__(self):
        self.made, self.there, self.marks = {}, [], []

    def machines(self):
        return [client.Machine(ONE, "10.0.0.1", {"node": "b"}), client.Machine(TWO, "10.0.0.2", {"node": "a"})]

    def unit(self, name):
        return client.Unit(name, "launched", "", "", tuple(self.made[name])) if name in self.made else None

    def units(self):
        return [self.unit(name) for name in self.made]

    def submit(self, name, options):
        self.made[name] = options

    def destroy(self, name):
        return self.made.pop(name, None) is not None

    def states(self):
        return self.there

    def set_metadata(self, machine, changes):
        self.marks.append((machine, changes))

    def says(self, name, machine, active, sub, digest=""):
        self.there.append(client.State(name + ".service", machine, "loaded", active, sub, digest))


@pytest.fixture
def fleet():
    return Fleet()


def test_machines_are_in_the_order_of_their_names(fleet):
    assert [machine.id for machine in machines.Machines(fleet, lambda: "minipaas0").all()] == [TWO, ONE]


def test_what_runs_everywhere_is_a_global_unit(fleet):
    made = machines.Machines(fleet, lambda: "minipaas0")
    made.run("minipaas-agent", "minipaas-node:1", ["node:agent", "--serve"], ("files:/files",))
    options = fleet.made["minipaas-agent.service"]
    assert unit_file.is_global(options)
    assert "--volume files:/files minipaas-node:1 node:agent --serve" in unit_file.text(options)
    assert "iptables" not in unit_file.text(options)
    made.run("minipaas-agent", "minipaas-node:1", ["node:agent", "--serve"], (), (7390, 2379))
    assert "-i minipaas0 -p tcp --syn -m multiport --dports 2379,7390 -j DROP" in unit_file.text(
        fleet.made["minipaas-agent.service"]
    )
    made.remove("minipaas-agent")
    made.remove("minipaas-agent")
    assert fleet.made == {}


def test_what_runs_once_stays_done(fleet):
    made = machines.Machines(fleet, lambda: "minipaas0")
    made.once("minipaas-image", "echo $HOME && false || exit 1")
    text = unit_file.text(fleet.made["minipaas-image.service"])
    assert 'ExecStart=/bin/sh -c "echo $$HOME && false || exit 1"' in text
    assert "Type=oneshot\nRemainAfterExit=yes\n" in text and "Global=true" in text


@pytest.mark.parametrize(
    ("active", "sub", "outcome"),
    [
        ("active", "running", "running"),
        ("active", "exited", "done"),
        ("failed", "failed", "failed"),
        ("activating", "auto-restart", "failed"),
        ("activating", "start", "starting"),
        ("inactive", "dead", "starting"),
    ],
)
def test_outcomes(fleet, active, sub, outcome):
    made = machines.Machines(fleet, lambda: "minipaas0")
    assert made.outcomes("minipaas-image") == {}
    made.once("minipaas-image", "true")
    fleet.says("minipaas-image", ONE, active, sub)
    fleet.says("another", TWO, "failed", "failed")
    assert made.outcomes("minipaas-image") == {ONE: outcome}


def test_what_is_told_of_a_former_text_does_not_count(fleet):
    made = machines.Machines(fleet, lambda: "minipaas0")
    made.once("minipaas-image", "true")
    fleet.says("minipaas-image", ONE, "active", "exited", "0" * 40)
    fleet.says("minipaas-image", TWO, "active", "exited", unit_file.digest(fleet.made["minipaas-image.service"]))
    assert made.outcomes("minipaas-image") == {TWO: "done"}


def test_a_machine_is_marked(fleet):
    machines.Machines(fleet, lambda: "minipaas0").mark(ONE, "minipaas", ONE)
    assert fleet.marks == [(ONE, {"minipaas": ONE})]


def test_a_machine_is_expelled_and_joins_again(fleet, monkeypatch):
    made = machines.Machines(fleet, lambda: "minipaas0")
    made.run("minipaas-agent", "minipaas-node:1", ["node:agent"])
    assert "MachineMetadata=minipaas-node=yes" in unit_file.text(fleet.made["minipaas-agent.service"])
    made.expel(ONE)
    made.join(TWO)
    assert fleet.marks == [(ONE, {"minipaas-node": "no"}), (TWO, {"minipaas-node": "yes"})]
    there = [client.Machine(ONE, "", {"minipaas-node": "no"}), client.Machine(TWO, "", {})]
    monkeypatch.setattr(fleet, "machines", lambda: there)
    assert [one.id for one in made.members()] == [TWO] and [one.id for one in made.expelled()] == [ONE]
    assert machines.nodes_among(there) == there[1:], "before the mark was there, all were nodes"
    there.append(client.Machine("3" * 32, "", {"minipaas-node": "yes"}))
    assert machines.nodes_among(there) == there[2:], "a machine that nothing was brought to yet is none"


def test_a_unit_that_asks_for_no_mark_would_stay_where_it_is_not_wanted(fleet):
    made = machines.Machines(fleet, lambda: "minipaas0")
    fleet.made["minipaas-agent.service"] = units.global_unit("minipaas-agent", "", ["/bin/true"])
    with pytest.raises(errors.Unavailable, match="run an older minipaas"):
        made.expel(ONE)
    assert fleet.marks == []


def test_what_runs_once_on_one_machine_names_it(fleet):
    machines.Machines(fleet, lambda: "minipaas0").once("minipaas-clean", "true", only=ONE)
    options = fleet.made["minipaas-clean.service"]
    assert f"MachineID={ONE}" in unit_file.text(options) and not unit_file.is_global(options)
