"""What is moved and what is not, what is noted of it, and the commands on a host without a cluster."""

import json

import pytest

from minipaas_lib import api, cluster_settings, errors
from minipaas_lib.journal import locks
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import init, leave, migration, saved_options, status

URLS = "http://10.0.0.1:2379,http://10.0.0.2:2379"
SETTINGS = cluster_settings.ClusterSettings(tuple(URLS.split(",")), fleet="unix:///var/run/fleet.sock")


@pytest.fixture
def blog(fake, world):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "serve"})
    return fake


def test_an_app_that_runs_elsewhere_is_replaced_and_one_that_does_not_is_routed_to_anew(blog):
    before = api.live_release("blog")
    migration.move("blog", "moved", lambda process: False)
    assert api.live_release("blog") == before
    migration.move("blog", "moved", lambda process: process.release == 1)
    assert api.live_release("blog").reason == "moved" and blog.routed("blog") == ["blog_v2.web.1"]
    migration.move("blog", "moved", lambda process: process.release == 1)
    assert api.live_release("blog").number == 2, "the old one is only waiting for its end"


def test_an_app_without_a_release_and_a_stopped_one_stay_as_they_are(blog, world):
    world.ok("apps:create", "empty")
    migration.move("empty", "moved", lambda process: True)
    world.ok("ps:stop", "blog")
    migration.move("blog", "moved", lambda process: True)
    assert api.live_release("empty") is None and api.live_release("blog").number == 1
    assert blog.router.table["blog"].backends == ()


def test_old_processes_are_waited_for(blog, monkeypatch):
    api.change("blog", "again", force=True)
    monkeypatch.setattr(migration, "DRAINED", 0)
    with pytest.raises(errors.Unavailable, match="blog_v1.web.1 did not stop within 0 seconds"):
        migration.wait_until_gone(lambda process: process.release == 1, "old ones")
    from minipaas_lib.deploy import drain

    drain.forget("blog")
    migration.wait_until_gone(lambda process: process.release == 1, "old ones")


def test_all_apps_are_locked_while_the_state_is_copied(blog, monkeypatch):
    with migration.all_locked():
        assert api.kernel.lock_holder("blog")
    assert api.kernel.lock_holder("blog") is None


def test_who_waited_for_a_lock_does_not_go_on_in_a_store_that_is_left(blog):
    cluster_settings.write(SETTINGS)
    with pytest.raises(errors.Locked, match="has just joined a cluster or left one"), locks.bare_lock("blog", 0):
        raise AssertionError("it was let in")
    cluster_settings.remove()
    with locks.bare_lock("blog", 0):
        pass


def test_what_was_begun_is_noted_on_this_host(world):
    assert saved_options.read(saved_options.JOINING) == {} and not leave.is_begun()
    saved_options.write(saved_options.JOINING, SETTINGS._replace(moving="in"), id="1")
    assert saved_options.settings(saved_options.read(saved_options.JOINING)) == SETTINGS and leave.is_begun()
    assert init.settings("", "", "", "", "") == SETTINGS
    assert "interrupted" in world.ok("cluster:status") + world("cluster:status").err
    saved_options.remove(saved_options.JOINING)
    saved_options.remove(saved_options.JOINING)
    assert not leave.is_begun()
    saved_options.write(saved_options.LEAVING, SETTINGS, id="1")
    assert "almost ended" in world.refused("cluster:init", "--etcd", URLS)


def test_the_options_of_init(world):
    assert init.settings(URLS, "http://10.0.0.1:49153", "", "", "").etcd == SETTINGS.etcd
    for etcd, ca, said in (
        ("", "", "no etcd is given"),
        ("10.0.0.1:2379", "", "not an address of etcd"),
        (URLS, "/etc/ssl/ca.pem", "--ca must be below /etc/minipaas/"),
        (URLS, "/etc/minipaas/../x.pem", "--ca must be below /etc/minipaas/"),
        (URLS, "/etc/minipaas/none.pem", "cannot be read"),
    ):
        with pytest.raises(errors.UsageError, match=said):
            init.settings(etcd, "unix:///var/run/fleet.sock", ca, "", "")
    cluster_settings.write(SETTINGS)
    with pytest.raises(errors.UsageError, match="another cluster"):
        init.settings("http://10.9.9.9:2379", "", "", "", "")


def test_without_a_cluster(world):
    assert json.loads(world.ok("cluster:status", "--format", "json")) == {"cluster": False, "wrong": []}
    assert world.ok("cluster:status") == "This host is on its own.\n"
    for words in (
        ("cluster:leave",),
        ("cluster:drain", "node1"),
        ("cluster:undrain", "node1"),
        ("cluster:remove", "node1"),
    ):
        assert "does not belong to a cluster" in world.refused(*words)
    assert "no etcd is given" in world.refused("cluster:init")


def test_nobody_but_root_on_the_host_moves_it(world):
    for words in (
        ("cluster:init",),
        ("cluster:leave",),
        ("cluster:drain", "node1"),
        ("cluster:undrain", "node1"),
        ("cluster:remove", "node1"),
    ):
        assert world(*words, key="anna").status == 77


NODE = {"name": "node1", "router": "running", "agent": "running", "applied": 1, "behind": [], "refused": {}}


def test_what_is_wrong_with_a_node():
    assert status._complaints(NODE) == []
    assert status._complaints(NODE | {"agent": "missing", "applied": None}) == [
        "node1: the agent is missing",
        "node1: its router is not responding",
    ]
    assert status._complaints(NODE | {"behind": ["blog", "shop"], "refused": {"shop": "bad port"}}) == [
        "node1: refuses the route of shop: bad port",
        "node1: has not applied the route of blog",
    ]


def test_a_node_is_named_by_its_name_or_its_id(monkeypatch):
    from plugins.cluster.head import node_drain

    there = [Machine("1" * 32, "", {"node": "node1"}), Machine("12" + "0" * 30, "", {"node": "node2"})]

    class Scheduler:
        class machines:
            all = staticmethod(lambda: there)

    monkeypatch.setattr(api, "scheduler", Scheduler, raising=False)
    assert node_drain.find("node2") == there[1] and node_drain.find("12") == there[1]
    with pytest.raises(errors.UsageError, match="can mean 2 nodes"):
        node_drain.find("1")
    with pytest.raises(errors.NotFound, match="no node"):
        node_drain.find("node3")
