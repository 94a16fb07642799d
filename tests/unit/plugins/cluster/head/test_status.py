import types

import pytest

from minipaas_lib import api
from minipaas_lib.store.etcd_cluster import MemberState
from plugins.cluster import active_engine, hooks
from plugins.cluster.head import follower_process, status

NODE = {"name": "node1", "applied": 2, "behind": [], "refused": {}, "router": "running", "agent": "running"}


def test_doctor_says_what_is_wrong_with_a_cluster():
    well = {"wrong": [], "nodes": [NODE, NODE | {"name": "node2"}]}
    (finding,) = status.findings(well)
    assert finding.ok and finding.said == "etcd, the nodes node1, node2 and all routers are fine"
    found = status.findings(well | {"wrong": ["node1: the agent is failed", "etcd has no quorum"]})
    assert [finding.said for finding in found] == ["node1: the agent is failed", "etcd has no quorum"]
    assert not any(finding.ok for finding in found) and found[0].fix == "cluster:status"


def test_doctor_says_nothing_of_a_cluster_on_a_host_without_one(monkeypatch):
    monkeypatch.setattr(api.kernel.cluster, "settings", lambda: None)
    assert hooks.doctor(app=None) is None


def test_what_is_wrong_with_a_node():
    assert status._complaints(NODE) == []
    broken = NODE | {"applied": None, "agent": "failed", "refused": {"blog": "no upstream"}, "behind": ["blog", "shop"]}
    assert status._complaints(broken) == [
        "node1: the agent is failed",
        "node1: its router is not responding",
        "node1: refuses the route of blog: no upstream",
        "node1: has not applied the route of shop",
    ]


def test_an_app_whose_image_no_node_has():
    assert status.gone({"blog": "sha256:1", "shop": "sha256:2"}, {"sha256:1", "sha256:3"}) == [
        "shop: no node has the image that it runs; to build it again: ps:rebuild shop"
    ]


def test_an_app_that_cannot_be_read_or_is_stopped_hides_no_other(monkeypatch):
    def app(name):
        if name == "broken":
            raise api.errors.BadConfig("its document cannot be read")
        return types.SimpleNamespace(stopped=name == "stopped")

    live = {name: types.SimpleNamespace(image=f"sha256:{name}") for name in ("blog", "stopped")}
    answers = {"app": app, "live_release": live.get, "app_names": lambda: ["blog", "broken", "new", "stopped"]}
    monkeypatch.setattr(status, "api", types.SimpleNamespace(errors=api.errors, **answers))
    assert status._live_images() == {"blog": "sha256:blog"}


@pytest.fixture
def cluster(world, monkeypatch):
    """A cluster of three members of etcd and one node; cluster(serving) is how many members serve."""
    machine = types.SimpleNamespace(id="1" * 32, address="10.0.0.1", metadata={"node": "node1"})
    outcomes = {machine.id: "running"}
    machines = types.SimpleNamespace(
        all=lambda: [machine], members=lambda: [machine], expelled=lambda: [], outcomes=lambda name: outcomes
    )
    scheduler = types.SimpleNamespace(
        machines=machines, node_images=lambda among: {machine.id: {}}, processes=lambda app=None: []
    )
    applied = {machine.id: {"applied": {}, "refused": {}}}
    router = types.SimpleNamespace(routers=lambda: applied, behind=lambda: {machine.id: []})
    monkeypatch.setattr(
        api.kernel.cluster, "settings", lambda: api.kernel.cluster.ClusterSettings(("http://127.0.0.1:2379",))
    )
    monkeypatch.setattr(api, "scheduler", lambda: scheduler, raising=False)
    monkeypatch.setattr(active_engine, "router", lambda: router)
    monkeypatch.setattr(follower_process, "is_running", lambda: True)
    monkeypatch.setattr(status, "_certificates", lambda: [])
    api.kernel.documents.write(
        api.kernel.store(), "cluster/image.toml", {"name": "minipaas-node:1", "done": [machine.id]}
    )

    def cluster(serving):
        states = [MemberState(f"http://10.0.0.{n}:2379", "2.3.8", n == 1, n <= serving, "frozen") for n in (1, 2, 3)]
        etcd = types.SimpleNamespace(cluster=types.SimpleNamespace(states=lambda: states))
        monkeypatch.setattr(api.kernel, "open_cluster", lambda found: etcd, raising=False)
        return scheduler

    return cluster


def test_a_cluster_that_is_well(cluster):
    cluster(3)
    report = status.status()
    assert report["wrong"] == [] and [node["name"] for node in report["nodes"]] == ["node1"]
    assert (report["cluster"], report["heads"], report["lost"], report["removed"]) == (True, [], [], [])


def test_without_a_quorum_nothing_else_is_asked(cluster):
    cluster(1).node_images = None
    report = status.status()
    assert report["wrong"][-1].startswith("etcd has no quorum") and len(report["wrong"]) == 3
    assert report["nodes"] == report["heads"] == report["lost"] == report["removed"] == []


def test_an_engine_that_does_not_answer_is_said(cluster):
    def node_images(among):
        raise api.errors.Unavailable("fleet does not answer")

    cluster(2).node_images = node_images
    report = status.status()
    assert report["wrong"] == ["etcd http://10.0.0.3:2379: frozen", "fleet does not answer"] and report["nodes"] == []
