import types

from minipaas_lib import api
from plugins.cluster import hooks
from plugins.cluster.head import status

NODE = {"name": "node1", "applied": 2, "behind": [], "refused": {}, "router": "running", "agent": "running"}


def test_doctor_says_what_is_wrong_with_a_cluster():
    well = {"wrong": [], "nodes": [NODE, NODE | {"name": "node2"}]}
    (finding,) = status.findings(well)
    assert finding.ok and finding.said == "etcd, the nodes node1, node2 and all routers are fine"
    found = status.findings(well | {"wrong": ["node1: the agent is failed", "etcd has no quorum"]})
    assert [finding.said for finding in found] == ["node1: the agent is failed", "etcd has no quorum"]
    assert not any(finding.ok for finding in found) and found[0].fix == "cluster:status"


def test_doctor_says_nothing_of_a_cluster_on_a_host_without_one(monkeypatch):
    monkeypatch.setattr(api.cluster, "settings", lambda: None)
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
