"""One node after the other gets a new router and agent."""

import os
import subprocess

import pytest

from minipaas_lib import api, errors
from plugins.cluster import names
from plugins.cluster.fleet import unit_file
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import rolling_upgrade

NODES = [Machine(str(n) * 32, f"10.0.0.{n}", {"node": f"node{n}"}) for n in (1, 2, 3)]
IDS = [machine.id for machine in NODES]


class Machines:
    """Machines that do at once what they are to run; those whose id is in `failing` fail."""

    def __init__(self, failing=()):
        self.failing, self.ran, self.removed, self._outcome = failing, [], 0, {}

    def members(self):
        return NODES

    def once(self, name, line, only=""):
        assert not self._outcome, "one after the other"
        self.ran.append(only)
        self._outcome = {only: "failed" if only in self.failing else "done"}

    def outcomes(self, name):
        return self._outcome

    def remove(self, name):
        self._outcome = {}
        self.removed += 1


@pytest.fixture
def store(world):
    return api.kernel.store()


def test_nodes_that_run_it_are_left_alone(store):
    rolling_upgrade.note(store, "minipaas-node:1", "debian:1")
    rolling_upgrade.done(store, IDS)
    rolling_upgrade.note(store, "minipaas-node:1", "debian:1")
    machines = Machines()
    rolling_upgrade.roll(store, machines)
    assert (
        machines.ran == []
        and rolling_upgrade.behind(store, NODES) == []
        and rolling_upgrade.wanted(store) == "minipaas-node:1"
    )


def test_a_new_image_comes_to_one_node_after_the_other(store):
    rolling_upgrade.note(store, "minipaas-node:1", "debian:1")
    rolling_upgrade.done(store, IDS)
    rolling_upgrade.note(store, "minipaas-node:2", "debian:2")
    assert rolling_upgrade.behind(store, NODES) == NODES
    machines = Machines()
    rolling_upgrade.roll(store, machines)
    assert machines.ran == IDS and machines.removed == 3 and rolling_upgrade.behind(store, NODES) == []


def test_a_node_that_fails_ends_it_and_the_next_command_goes_on_there(store):
    rolling_upgrade.note(store, "minipaas-node:1", "debian:1")
    machines = Machines(failing=(IDS[1],))
    with pytest.raises(errors.Unavailable, match="node2 does not run this minipaas"):
        rolling_upgrade.roll(store, machines)
    assert machines.ran == IDS[:2] and machines.removed == 2
    assert rolling_upgrade.behind(store, NODES) == NODES[1:]
    machines = Machines()
    rolling_upgrade.roll(store, machines)
    assert machines.ran == IDS[1:]


def test_a_node_that_takes_too_long_is_named(store, monkeypatch):
    rolling_upgrade.note(store, "minipaas-node:1", "debian:1")
    machines = Machines()
    machines.outcomes = lambda name: {}
    monkeypatch.setattr(rolling_upgrade, "LIMIT", 0)
    with pytest.raises(errors.Unavailable, match="node1 does not run this minipaas"):
        rolling_upgrade.roll(store, machines)
    assert machines.removed == 1


def test_the_document_of_a_cluster_that_is_older(store):
    api.kernel.documents.write(store, names.IMAGE, {"name": "minipaas-node:1"})
    assert rolling_upgrade.behind(store, NODES) == NODES
    rolling_upgrade.done(store, IDS[:1])
    assert rolling_upgrade.behind(store, NODES) == NODES[1:]


DOCKER = """#!/bin/sh
echo "docker $*" >>$HERE/log
case "$*" in
    "image inspect"*) echo new ;;
    inspect*) for name; do :; done; cat $HERE/$name ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>$HERE/log
echo "new true" >$HERE/$2
"""
CURL = """#!/bin/sh
echo curl >>$HERE/log
[ $(grep -c curl $HERE/log) -gt 2 ] && exit 22 || exit 7
"""


@pytest.mark.parametrize("behind", [(), (names.ROUTER,), (names.AGENT,), (names.ROUTER, names.AGENT)])
def test_the_line_itself(tmp_path, behind):
    """Run by sh. What runs the image already is left alone; nginx ends its requests first, and answers again after."""
    for name, text in (("docker", DOCKER), ("systemctl", SYSTEMCTL), ("curl", CURL)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in (names.ROUTER, names.AGENT):
        (tmp_path / name).write_text("old true\n" if name in behind else "new true\n")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path)}
    assert subprocess.run(["/bin/sh", "-c", rolling_upgrade.LINE], env=environment, timeout=60).returncode == 0
    did = [line for line in (tmp_path / "log").read_text().splitlines() if "inspect" not in line]
    router = [
        f"docker kill -s QUIT {names.ROUTER}",
        f"docker wait {names.ROUTER}",
        f"systemctl restart {names.ROUTER}",
    ]
    wanted = [*(router if names.ROUTER in behind else []), "curl", "curl", "curl"]
    assert did == wanted + ([f"systemctl restart {names.AGENT}"] if names.AGENT in behind else [])


def test_a_machine_without_the_image_leaves_what_runs(tmp_path):
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker").chmod(0o755)
    done = subprocess.run(["/bin/sh", "-c", rolling_upgrade.LINE], env={"PATH": f"{tmp_path}:/bin"}, timeout=60)
    assert done.returncode == 1


def test_the_line_fits_into_a_unit():
    assert len(unit_file.line(["/bin/sh", "-c", rolling_upgrade.LINE])) < unit_file.LINE_LIMIT
