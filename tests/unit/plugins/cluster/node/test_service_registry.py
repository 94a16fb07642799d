import dataclasses

import pytest

from minipaas_lib import api
from minipaas_lib.model import service
from minipaas_lib.store.directory import DirectoryStore
from plugins.cluster.node import service_registry
from plugins.cluster.routes import route_reconciler
from tests.unit.model.test_service import PROCESS

NEWER = dataclasses.replace(PROCESS, node="node2", address="192.0.2.8", started="2099-01-01T00:00:00.1Z")


class Docker:
    """A scheduler whose processes a test sets."""

    def __init__(self, *processes):
        self.present = list(processes)

    def processes(self, app=None):
        return [process for process in self.present if app in (None, process.app)]

    def names(self):
        return {process.name for process in self.present}


class Counting(DirectoryStore):
    writes = 0

    def write(self, *arguments, **named):
        self.writes += 1
        return super().write(*arguments, **named)

    def renew(self, *arguments):
        self.writes += 1
        return super().renew(*arguments)


@pytest.fixture
def store(tmp_path):
    return Counting(str(tmp_path / "state"), str(tmp_path / "locks"))


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_runs_here_is_told_and_taken_back(store):
    docker = Docker(PROCESS, dataclasses.replace(PROCESS, name="blog_v3.web.2", index=2))
    publisher = service_registry.Publisher(store, docker, "node1", Clock())
    publisher.look()
    assert route_reconciler.processes(store) == {process.name: process for process in docker.present}

    docker.present = [dataclasses.replace(PROCESS, state="exited", exit_code=1)]
    publisher.look()
    found = route_reconciler.processes(store)
    assert list(found) == [PROCESS.name] and (found[PROCESS.name].state, found[PROCESS.name].exit_code) == ("exited", 1)


def test_restarts_are_counted_also_by_an_agent_that_was_started_anew(store):
    docker = Docker(dataclasses.replace(PROCESS, created="2026-11-21T03:59:00Z"))

    def counted() -> tuple[int, str]:
        service_registry.Publisher(store, docker, "node1", Clock()).look()
        found = route_reconciler.processes(store)[PROCESS.name]
        return found.restarts, found.ended

    assert counted() == counted() == (0, "")
    docker.present = [dataclasses.replace(PROCESS, state="exited", exit_code=3, ended="2026-11-21T04:01:00Z")]
    assert counted() == (0, "2026-11-21T04:01:00Z")
    docker.present = [dataclasses.replace(PROCESS, started="2026-11-21T04:01:02Z", ended="2026-11-21T04:01:00Z")]
    assert counted() == counted() == (1, "2026-11-21T04:01:00Z")
    docker.present = [dataclasses.replace(PROCESS, id="ab13", started="2026-11-21T05:00:00Z")]
    assert counted() == (0, ""), "another container"


def test_a_container_that_is_just_being_removed_is_not_told_of(store):
    docker = Docker(PROCESS)
    publisher = service_registry.Publisher(store, docker, "node1", Clock())
    publisher.look()
    docker.present = [dataclasses.replace(PROCESS, state="missing")]
    publisher.look()
    assert route_reconciler.processes(store) == {} and store.children(f"{service.FOLDER}/{PROCESS.app}") == []


def test_nothing_is_written_while_nothing_changes_but_three_signs_of_life_a_minute(store):
    clock = Clock()
    publisher = service_registry.Publisher(store, Docker(PROCESS), "node1", clock)
    publisher.look()
    first = store.writes
    for _ in range(600):  # ten minutes, a look every second
        clock.now += 1
        publisher.look()
        publisher.renew()
    assert (store.writes - first) / 10 <= 3


def test_a_document_that_expired_is_written_again(store):
    clock = Clock()
    publisher = service_registry.Publisher(store, Docker(PROCESS), "node1", clock)
    publisher.look()
    store.delete(service.path(PROCESS))
    clock.now += service_registry.RENEW
    publisher.renew()
    assert PROCESS.name in route_reconciler.processes(store)


def test_an_agent_that_was_killed_leaves_nothing_behind(store):
    service_registry.Publisher(store, Docker(PROCESS), "node1", Clock()).look()
    service_registry.Publisher(store, Docker(), "node1", Clock()).look()
    assert route_reconciler.processes(store) == {}


def test_a_process_that_moved_is_its_new_nodes_to_tell_of(store):
    old = service_registry.Publisher(store, here := Docker(PROCESS), "node1", Clock())
    old.look()
    moved = NEWER
    service_registry.Publisher(store, Docker(moved), "node2", Clock()).look()
    here.present = []
    old.look()
    assert route_reconciler.processes(store) == {PROCESS.name: moved}


def test_of_two_nodes_that_run_it_the_one_that_started_it_later_is_right(store):
    here, there = Docker(PROCESS), Docker(NEWER)
    ours = service_registry.Publisher(store, here, "node1", Clock())
    theirs = service_registry.Publisher(store, there, "node2", Clock())
    ours.look()
    theirs.look()
    for look in (ours.look, ours.settle, ours.renew):  # back from where etcd could not be reached: fleet has not
        look()  # stopped it here yet
        assert route_reconciler.processes(store) == {PROCESS.name: NEWER}
    here.present = [dataclasses.replace(PROCESS, state="exited")]
    ours.look(PROCESS.app)
    ours.renew()
    assert route_reconciler.processes(store) == {PROCESS.name: NEWER}


@pytest.mark.parametrize("app", [None, PROCESS.app])
def test_a_node_on_which_it_ended_is_outvoted_at_once_by_the_one_that_runs_it(store, app):
    here, there = Docker(PROCESS), Docker(NEWER)
    ours = service_registry.Publisher(store, here, "node1", Clock())
    theirs = service_registry.Publisher(store, there, "node2", Clock())
    ours.look()
    theirs.look(app)
    there.present = [dataclasses.replace(NEWER, state="exited")]
    theirs.look(app)  # fleet changed its mind
    assert route_reconciler.processes(store)[PROCESS.name].state == "exited"
    ours.settle()
    assert route_reconciler.processes(store) == {PROCESS.name: PROCESS}
    here.present = []
    ours.look(app)
    ours.settle()
    assert route_reconciler.processes(store) == {}, "nobody tells of what ended for good"


def test_what_went_from_the_store_is_told_again_at_once(store):
    publisher = service_registry.Publisher(store, Docker(PROCESS), "node1", Clock())
    publisher.look()
    store.delete(service.path(PROCESS))
    publisher.settle()
    assert route_reconciler.processes(store) == {PROCESS.name: PROCESS}
    before = store.writes
    publisher.settle()
    assert store.writes == before


def test_a_bad_document_is_passed_over(store, capsys):
    service_registry.Publisher(store, Docker(PROCESS), "node1", Clock()).look()
    store.write("services/shop/shop_v1.web.1", "not = [toml", ttl=60)
    store.write("services/shop/shop_v1.web.2", 'address = "; }"', ttl=60)
    with open(store.location("services/shop/shop_v1.web.2"), "wb") as file:
        file.write(b"\xff\xfe")
    assert list(route_reconciler.processes(store)) == [PROCESS.name]
    assert "shop_v1.web.1 is skipped" in capsys.readouterr().err
    assert api.kernel.documents.read(store, service.path(PROCESS))["node"] == "node1"


def test_one_app_is_looked_at_alone(store):
    other = dataclasses.replace(PROCESS, name="shop_v1.web.1", app="shop", release=1)
    publisher = service_registry.Publisher(store, docker := Docker(PROCESS, other), "node1", Clock())
    publisher.look()
    docker.present = []
    publisher.look("shop")
    assert list(route_reconciler.processes(store)) == [PROCESS.name]
