"""The engines that the hooks make around those of this host."""

import pytest

from minipaas_lib import api
from plugins.cluster import hooks
from plugins.cluster.fleet.leaving_scheduler import LeavingScheduler
from plugins.cluster.fleet.scheduler import FleetScheduler
from plugins.cluster.head.head_router import HeadRouter
from tests.fakes import FakeRouter, FakeScheduler


@pytest.fixture
def belongs(world, monkeypatch):
    """belongs(moving) makes this host one of a cluster; without it, it is on its own."""

    def belongs(moving):
        found = api.kernel.cluster.ClusterSettings(
            ("http://127.0.0.1:2379",), fleet="unix:///run/fleet.sock", moving=moving
        )
        monkeypatch.setattr(api.kernel.cluster, "settings", lambda: found)

    return belongs


def wrapped(hook, local):
    """What a hook wrapper makes of the engine of this host."""
    running = hook()
    next(running)
    with pytest.raises(StopIteration) as ended:
        running.send(local)
    return ended.value.value


@pytest.mark.parametrize("hook", [hooks.scheduler, hooks.router], ids=lambda hook: hook.__name__)
def test_a_host_of_its_own_keeps_its_engines(world, hook):
    local = object()
    assert wrapped(hook, local) is local


@pytest.mark.parametrize("hook", [hooks.scheduler, hooks.router], ids=lambda hook: hook.__name__)
def test_without_an_engine_of_the_host_there_is_none_of_the_cluster(belongs, hook):
    belongs("")
    assert wrapped(hook, None) is None


@pytest.mark.parametrize(("moving", "kind"), [("", FleetScheduler), ("in", FleetScheduler), ("out", LeavingScheduler)])
def test_the_engine_of_a_cluster(belongs, moving, kind):
    belongs(moving)
    local = FakeScheduler()
    engine = wrapped(hooks.scheduler, local)
    assert type(engine) is kind and engine.local is local


def test_the_router_of_a_cluster_leads_to_that_of_all_nodes_and_to_this_hosts_own(belongs):
    belongs("")
    local = FakeRouter()
    router = wrapped(hooks.router, local)
    assert isinstance(router, HeadRouter) and router.local is local
    assert router.routers() == {} and router.behind() == {}
    api.kernel.documents.write(api.kernel.store(), "routers/node1", {"applied": {}, "refused": {}}, ttl=60)
    assert router.routers() == {"node1": {"applied": {}, "refused": {}}} and router.behind() == {"node1": []}
