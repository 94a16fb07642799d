"""What of ours runs on all machines: units of fleet, and what is told of them."""

import pytest

from plugins.scheduler_fleet import client, machines, unitfile

ONE, TWO = "1" * 32, "2" * 32


class Fleet:
    def __init__(self):
        self.made, self.there, self.marks = {}, [], []

    def machines(self):
        return [client.Machine(ONE, "10.0.0.1", {"node": "b"}), client.Machine(TWO, "10.0.0.2", {"node": "a"})]

    def unit(self, name):
        return client.Unit(name, "launched", "", "", tuple(self.made[name])) if name in self.made else None

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
    assert [machine.id for machine in machines.Machines(fleet).all()] == [TWO, ONE]


def test_what_runs_everywhere_is_a_global_unit(fleet):
    made = machines.Machines(fleet)
    made.run("minipaas-agent", "minipaas-node:1", ["node:agent", "--serve"], ("files:/files",))
    options = fleet.made["minipaas-agent.service"]
    assert unitfile.is_global(options)
    assert "--volume files:/files minipaas-node:1 node:agent --serve" in unitfile.text(options)
    made.remove("minipaas-agent")
    made.remove("minipaas-agent")
    assert fleet.made == {}


def test_what_runs_once_stays_done(fleet):
    made = machines.Machines(fleet)
    made.once("minipaas-image", "echo $HOME && false || exit 1")
    text = unitfile.text(fleet.made["minipaas-image.service"])
    assert 'ExecStart=/bin/sh -c "echo $$HOME && false || exit 1"' in text
    assert "Type=oneshot\nRemainAfterExit=yes\n" in text and "Global=true" in text


@pytest.mark.parametrize(
    ("active", "sub", "outcome"),
    [
        ("active", "running", "running"), ("active", "exited", "done"), ("failed", "failed", "failed"),
        ("activating", "auto-restart", "failed"), ("activating", "start", "starting"), ("inactive", "dead", "starting"),
    ],
)  # fmt: skip
def test_outcomes(fleet, active, sub, outcome):
    made = machines.Machines(fleet)
    assert made.outcomes("minipaas-image") == {}
    made.once("minipaas-image", "true")
    fleet.says("minipaas-image", ONE, active, sub)
    fleet.says("another", TWO, "failed", "failed")
    assert made.outcomes("minipaas-image") == {ONE: outcome}


def test_what_is_told_of_a_former_text_does_not_count(fleet):
    made = machines.Machines(fleet)
    made.once("minipaas-image", "true")
    fleet.says("minipaas-image", ONE, "active", "exited", "0" * 40)
    fleet.says("minipaas-image", TWO, "active", "exited", unitfile.digest(fleet.made["minipaas-image.service"]))
    assert made.outcomes("minipaas-image") == {TWO: "done"}


def test_a_machine_is_marked(fleet):
    machines.Machines(fleet).mark(ONE, "minipaas", ONE)
    assert fleet.marks == [(ONE, {"minipaas": ONE})]
