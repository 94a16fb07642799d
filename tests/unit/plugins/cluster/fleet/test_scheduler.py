import dataclasses
import threading

import pytest

from minipaas_lib import api
from minipaas_lib.model import service
from plugins.cluster import names
from plugins.cluster.fleet import client, nodes, scheduler, state_poller
from tests.unit.plugins.cluster.fleet.fakes import ONE, SPEC, TWO


def test_a_process_is_a_unit_and_is_where_its_node_tells(world):
    process = world.start(SPEC)
    assert list(world.fleet.made) == ["blog_v3.web.1.service"]
    assert (process.node, process.address, process.ports) == (ONE, "192.0.2.1", ((5000, 49153),))
    assert world.processes("blog") == [process] and world.processes("shop") == [] and world.refresh(process) == process


def test_processes_that_share_a_node_while_there_are_enough_are_told_of(world, capsys):
    world.start(SPEC)
    assert "shares" not in capsys.readouterr().err
    world.start(dataclasses.replace(SPEC, name="blog_v3.web.2", index=2))
    assert "web.2 shares node1 with web.1\n" in capsys.readouterr().err
    world.start(dataclasses.replace(SPEC, name="blog_v3.web.3", index=3))
    world.start(dataclasses.replace(SPEC, name="blog_v4.web.2", release=4, index=2))
    assert "shares" not in capsys.readouterr().err, "three processes cannot keep apart on two nodes; releases need not"


def test_detached_runs_have_numbers_of_their_own_whichever_nodes_they_are_on(world, monkeypatch):
    names = [world.detach(SPEC).process.name for _ in range(4)]
    assert names == [f"blog.run.000{number}" for number in (1, 2, 3, 4)]
    known, write = len(names), world.store.write

    def at_the_same_time(path, text, revision):
        monkeypatch.setattr(world.store, "write", write)
        world.detach(SPEC)
        return write(path, text, revision)

    monkeypatch.setattr(world.store, "write", at_the_same_time)
    assert world.detach(SPEC).process.index == known + 2
    assert [one.process.index for one in world.detached("blog")] == [1, 2, 3, 4, 5, 6]


def test_nothing_is_for_a_machine_that_is_no_node(world, monkeypatch):
    world.start(SPEC)
    assert not any(option.value == "minipaas-node=yes" for option in world.fleet.made["blog_v3.web.1.service"])
    there = [
        client.Machine(ONE, "192.0.2.1", {"minipaas-node": "yes"}),
        client.Machine(TWO, "192.0.2.2", {"minipaas-node": "no"}),
    ]
    monkeypatch.setattr(world.fleet, "machines", lambda: there)
    monkeypatch.setattr(nodes, "FRESH", 0.0)
    world.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))
    options = world.fleet.made["blog_v4.web.1.service"]
    assert ("MachineMetadata", "minipaas-node=yes") in [(option.name, option.value) for option in options]
    assert [machine.id for machine in world._nodes.all()] == [ONE]


def test_no_machine_with_the_tags_is_an_error_at_once(world, monkeypatch):
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "nvme"})
    with pytest.raises(
        api.errors.DeployFailed, match="no node has disk=nvme .there are: node1: disk=ssd node=node1; node2: node=node2"
    ):
        world.start(SPEC)
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "ssd"})
    world.start(SPEC)
    (option,) = [one for one in world.fleet.made["blog_v3.web.1.service"] if one.name == "MachineMetadata"]
    assert "disk=ssd" in option.value


@pytest.mark.parametrize(
    ("how", "said"), [("broken", "cannot be started on node node1"), ("nowhere", "waited 0 seconds for fleet to find")]
)
def test_a_unit_that_does_not_start_is_removed(world, how, said):
    world.fleet.started = how
    with pytest.raises(api.errors.DeployFailed, match=said):
        world.start(SPEC)
    assert world.fleet.made == {}


def test_what_is_left_of_a_former_unit_of_the_name_is_no_failure(world, monkeypatch):
    world.fleet.there = [client.State("blog_v3.web.1.service", TWO, "loaded", "failed", "failed", "0")]
    world.fleet.started = "nowhere"
    with pytest.raises(api.errors.DeployFailed, match="waited 0 seconds for blog_v3.web.1 to start"):
        world.start(SPEC)


def test_a_former_unit_that_failed_on_the_same_machine_is_waited_for(world, monkeypatch):
    world.fleet.started = "nowhere"
    failed = client.State("blog_v3.web.1.service", ONE, "loaded", "failed", "failed", "0")
    world.fleet.there = [failed]
    with pytest.raises(api.errors.DeployFailed, match="waited 0 seconds for blog_v3.web.1 to start"):
        world.start(SPEC)
    world.fleet.there = [failed]
    monkeypatch.setattr(scheduler, "LINGER", 0.1)
    with pytest.raises(api.errors.DeployFailed, match="its unit is failed"):
        world.start(SPEC)


def test_what_was_told_of_a_former_process_of_the_name_is_forgotten(world):
    former = world.start(SPEC)
    world.fleet.destroy("blog_v3.web.1.service")
    world.fleet.started = "nowhere"
    with pytest.raises(api.errors.DeployFailed):
        world.start(SPEC)
    assert world.refresh(former).state == "missing"


def test_stopping_destroys_the_unit_before_the_container(world):
    process = world.start(SPEC)
    near = world.local.nodes[ONE]
    near.containers[process.name] = process
    seen = []
    near.stop = lambda one, timeout=None: seen.append((one.name, dict(world.fleet.made)))
    world.stop(process)
    assert seen == [(process.name, {})]
    world.stop(process)


def test_the_processes_of_this_host_go_on_being_its_own(world):
    old = world.local.start(dataclasses.replace(SPEC, name="blog_v2.web.1", release=2))
    new = world.start(SPEC)
    assert world.processes("blog") == [old, new]
    world.adopt([old, new])
    world.disown([old])
    world.stop(old)
    assert world.local.names() == [] and world.processes("blog") == [new]
    assert world.local.calls.count(("adopt", old.name)) == 1


def test_a_silent_process_is_what_systemd_says(world):
    process = world.start(SPEC)
    world.store.delete(service.path(process))
    (silent,) = world.processes("blog")
    assert (silent.state, silent.node, silent.address) == ("running", ONE, "")
    world.fleet.there = [world.fleet.there[0]._replace(active="failed", sub="failed")]
    world._poller = state_poller.Poller(world.fleet.states, 0.0)
    assert world.refresh(process).state == "exited"
    world.fleet.destroy("blog_v3.web.1.service")
    assert world.refresh(process).state == "missing"


def test_an_adopted_unit_that_somebody_removed(world):
    process = world.start(SPEC)
    world.fleet.destroy("blog_v3.web.1.service")
    with pytest.raises(api.errors.Unavailable, match="was removed by somebody"):
        world.adopt([process])


def test_a_bad_document_is_nobodys_process(world, capsys):
    process = world.start(SPEC)
    world.store.write("services/blog/blog_v3.web.9", "x = [", ttl=60)
    assert world.processes("blog") == [process] and "is skipped" in capsys.readouterr().err


def test_fleet_is_asked_once_an_interval_whatever_the_number(world):
    world._poller = state_poller.Poller(world.fleet.states, 5.0)
    specs = [dataclasses.replace(SPEC, name=f"blog_v3.web.{i}", index=i) for i in range(1, 21)]
    threads = [threading.Thread(target=world.start, args=(spec,)) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(world.fleet.made) == 20 and world.fleet.asked <= 2


def test_one_offs_go_to_a_node(world):
    assert world.run(SPEC) == 0 and world.task(SPEC, print) == 0
    calls = [call for near in world.local.nodes.values() for call in near.calls]
    assert ("run", "serve") in calls and ("task", "serve") in calls
    world.tidy("blog")
    assert all(("tidy", "blog") in near.calls for near in (world.local, *world.local.nodes.values()))


def test_a_process_on_a_lost_node_says_so(world):
    process = dataclasses.replace(world.start(SPEC), node="9" * 32)
    with pytest.raises(api.errors.Unavailable, match="the node of blog_v3.web.1 is gone"):
        world.logs([process])


def test_nothing_starts_on_a_drained_node(world):
    api.kernel.documents.write(world.store, names.DRAINED, {"nodes": [TWO]})
    world.start(SPEC)
    options = world.fleet.made["blog_v3.web.1.service"]
    assert [one.value for one in options if one.name == "MachineMetadata"] == [f"minipaas={ONE}"]
    assert TWO not in world.local.nodes, "it gets no image either"
    api.kernel.documents.write(world.store, names.DRAINED, {"nodes": [ONE, TWO]})
    with pytest.raises(api.errors.DeployFailed, match="the cluster has no nodes yet"):
        world.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))


def test_a_broken_word_on_drained_nodes_is_none(world):
    world.store.write(names.DRAINED, 'nodes = "all"\n')
    assert nodes.drained(world.store) == set()


def test_on_the_way_back_what_starts_starts_here(world):
    from plugins.cluster.fleet import leaving_scheduler

    world.start(SPEC)
    world.local.gone = {"sha256:1"}
    back = leaving_scheduler.LeavingScheduler(world.local, world.fleet, world.store, world._nodes)
    started = back.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))
    assert started.node == "" and world.local.taken == ["sha256:1"]
    assert sorted(world.fleet.made) == ["blog_v3.web.1.service"]
    assert [process.name for process in back.processes("blog")] == ["blog_v3.web.1", "blog_v4.web.1"]
    assert back._somewhere(SPEC) is world.local
