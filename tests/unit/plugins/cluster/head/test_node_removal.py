"""cluster:remove and what takes it back: the order of the steps, who is refused, what is left."""

import pytest

from minipaas_lib import api, errors
from plugins.cluster import names
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import (
    init,
    node_drain,
    node_image_delivery,
    node_registry,
    node_removal,
    rolling_upgrade,
    status,
)

ONE, TWO, DEAD = "1" * 32, "2" * 32, "d" * 32


class Machines:
    """Machines that do at once what they are told."""

    def __init__(self):
        self.there = [Machine(ONE, "10.0.0.1", {"node": "node1"}), Machine(TWO, "10.0.0.2", {"node": "node2"})]
        self.out, self.did, self.once_done = set(), [], "done"

    def all(self):
        return self.there

    def members(self):
        return [one for one in self.there if one.id not in self.out]

    def expelled(self):
        return [one for one in self.there if one.id in self.out]

    def expel(self, id):
        self.did.append(f"expel {id[0]}")
        self.out.add(id)

    def join(self, id):
        self.did.append(f"join {id[0]}")
        self.out.discard(id)

    def mark(self, id, key, value):
        self.did.append(f"mark {id[0]} {key} {value and value[0]}")

    def outcomes(self, unit):
        if unit == node_removal.CLEAN:
            return {self.cleaning: self.once_done}
        return {one.id: "running" for one in self.members()}

    def once(self, name, line, only=""):
        self.cleaning = only
        self.did.append(f"clean {only[0]}")

    def remove(self, name):
        self.did.append(f"remove {name}")


class Scheduler:
    def __init__(self):
        self.machines, self.here, self.images = Machines(), [], []

    def processes(self, app=None):
        return self.here

    def have_image(self, name):
        self.images.append(name)


@pytest.fixture
def made(world, monkeypatch):
    found = Scheduler()
    monkeypatch.setattr(api, "scheduler", lambda: found, raising=False)
    monkeypatch.setattr(node_removal.time, "sleep", lambda _: None)
    node_registry.note(api.kernel.store(), found.machines.there)
    return found


def test_a_node_is_drained_then_stripped_then_forgotten(made):
    api.kernel.store().write(f"routers/{TWO}", "x = 1\n", ttl=60)
    api.kernel.store().write("services/blog/blog_v1.web.1", f'node = "{TWO}"\n', ttl=60)
    api.kernel.store().write("services/blog/blog_v1.web.2", f'node = "{ONE}"\n', ttl=60)
    assert node_removal.remove("node2") == "node2"
    assert made.machines.did == [
        "mark 1 minipaas 1",
        "mark 2 minipaas 2",
        "expel 2",
        "clean 2",
        "remove minipaas-clean",
        "mark 2 minipaas None",
    ]
    assert node_drain.drained() == set() and not api.kernel.store().exists(f"routers/{TWO}")
    assert api.kernel.store().list("services") == ["services/blog/blog_v1.web.2"]
    assert node_registry.lost(made.machines.all()) == []
    made.machines.there.pop()
    assert node_registry.lost(made.machines.all()) == [], "one that was removed is not missed"


def test_a_removal_that_was_killed_goes_on(made):
    made.machines.out.add(TWO)
    assert node_removal.remove("22") == "node2"
    assert made.machines.did[:2] == ["expel 2", "clean 2"], "nothing is left to be drained"


def test_a_lost_node_is_missed_and_can_be_forgotten(made, monkeypatch):
    node_registry.note(api.kernel.store(), [Machine(DEAD, "10.0.0.9", {"node": "node9"})])
    assert node_registry.lost(made.machines.all()) == [node_registry.Lost(DEAD, "10.0.0.9", "node9")]
    made.here = [api.Process("blog_v1.web.1", "blog", 1, "web", 1, node=DEAD)]
    monkeypatch.setattr(node_removal, "EMPTY", 0)
    with pytest.raises(errors.Unavailable, match="seconds for fleet to move the processes of node9"):
        node_removal.remove("node9")
    made.here = []
    assert node_removal.remove("node9") == "node9"
    assert made.machines.did == ["expel d", "mark d minipaas None"], "nobody is there to be cleaned"
    with pytest.raises(errors.NotFound, match="no node .node9"):
        node_removal.remove("node9")


def test_the_last_node_stays(made):
    made.machines.there.pop()
    with pytest.raises(errors.UsageError, match="the last node"):
        node_removal.remove("node1")
    api.kernel.store().delete(node_registry.NODES)
    node_registry.note(api.kernel.store(), [Machine(DEAD, "", {"node": "node9"})])
    made.machines.out.add(ONE)
    with pytest.raises(errors.UsageError, match="the last node"):
        node_removal.remove("node9")
    assert made.machines.did == []


def test_a_name_that_means_a_lost_node_and_one_that_took_its_place_is_refused(made):
    node_registry.note(api.kernel.store(), [Machine(DEAD, "", {"node": "node2"})])
    with pytest.raises(errors.UsageError, match="can mean 2 nodes") as refused:
        node_removal.remove("node2")
    assert refused.value.hint == "one of: 22222222 dddddddd"
    node_removal.remove("dddd")
    assert made.machines.did == ["expel d", "mark d minipaas None"]


def test_a_cleaning_that_does_not_end_is_said(made, monkeypatch):
    monkeypatch.setattr(node_removal, "CLEANED", 0)
    made.machines.once_done = "starting"
    with pytest.raises(errors.Unavailable, match="journalctl -u minipaas-clean"):
        node_removal.remove("node2")
    assert made.machines.did[-1] == "remove minipaas-clean" and node_registry.NODES in api.kernel.store().list(
        "cluster"
    )
    assert TWO in api.kernel.documents.read(api.kernel.store(), node_registry.NODES), (
        "so that the command can be given again"
    )


def test_a_machine_comes_back_with_what_the_others_have(made, monkeypatch):
    api.kernel.documents.write(api.kernel.store(), names.IMAGE, {"name": "minipaas-node:1"})
    made.machines.out.add(TWO)
    brought = []
    monkeypatch.setattr(
        api.kernel.cluster, "settings", lambda: api.kernel.cluster.ClusterSettings(("http://127.0.0.1:2379",))
    )
    monkeypatch.setattr(node_image_delivery, "bring", lambda machines, name, address: brought.append((name, address)))
    monkeypatch.setattr(init, "wait_for_routers", lambda store, machines: brought.append("routers"))
    node_removal.bring_back(made.machines.there[1])
    assert made.images == ["minipaas-node:1"] and made.machines.did == ["join 2"]
    assert brought == [("minipaas-node:1", "127.0.0.1"), "routers"]
    assert rolling_upgrade.behind(api.kernel.store(), [made.machines.there[1]]) == []


def test_the_line_that_cleans_fits_into_a_unit():
    from plugins.cluster.fleet import unit_file

    assert len(unit_file.line(["/bin/sh", "-c", node_removal.LINE])) < unit_file.LINE_LIMIT


def test_what_was_removed_and_what_is_lost_is_shown(capsys):
    node = {
        "name": "node1",
        "address": "10.0.0.1",
        "processes": 1,
        "applied": 1,
        "router": "running",
        "agent": "running",
        "images": None,
        "drained": False,
        "metadata": {"disk": "ssd"},
    }
    status.show({"cluster": True, "etcd": [], "nodes": [node], "heads": [], "removed": ["node2"], "wrong": []})
    assert "removed (to bring one back: cluster:undrain <node>): node2" in capsys.readouterr().out
