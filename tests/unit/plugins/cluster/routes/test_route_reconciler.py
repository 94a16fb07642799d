import dataclasses
import threading
import time
import tomllib

import pytest

from minipaas_lib import api
from minipaas_lib.store.directory import DirectoryStore
from plugins.cluster.node import service_registry
from plugins.cluster.routes import cluster_router, route_document, route_reconciler
from tests.unit.model.test_service import PROCESS
from tests.unit.plugins.cluster.node.test_service_registry import Clock, Docker
from tests.unit.plugins.cluster.routes.test_route_document import ROUTE

LOADS = tomllib.loads
ONE = route_document.for_nodes(dataclasses.replace(ROUTE, backends=(PROCESS.backend,)))


class Table:
    """A router that keeps what it is given."""

    def __init__(self):
        self.table, self.calls, self.refuses = {}, 0, ()

    def apply(self, route):
        self.calls += 1
        if route.app in self.refuses:
            raise api.errors.BadConfig("nginx refuses it")
        self.table[route.app] = route

    def remove(self, app):
        self.table.pop(app, None)

    def routes(self):
        return sorted(self.table)


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def reconciler(store, table):
    service_registry.Publisher(store, Docker(PROCESS), "node1", Clock()).look()
    return route_reconciler.Reconciler(store, table, "node1", lambda backend: False, Clock())


def put(store, route):
    api.kernel.documents.write(store, route_document.path(route.app), route_document.to_document(route))


def test_a_route_is_applied_once_and_told_of(store, table, reconciler):
    put(store, ONE)
    reconciler.look()
    reconciler.look()
    assert table.table["blog"] == ONE and table.calls == 1
    told = api.kernel.documents.read(store, "routers/node1")
    assert told["applied"] == {"blog": route_document.digest(store.read("routes/blog.toml").text)}


def test_what_stays_the_same_is_read_once(store, table, reconciler, monkeypatch):
    read = []
    monkeypatch.setattr(route_reconciler.tomllib, "loads", lambda text: (read.append(text), LOADS(text))[1])
    for app in ("blog", "shop", "news"):
        put(store, dataclasses.replace(ONE, app=app))
    reconciler.look()
    assert len(read) == 4, "three routes and a process"
    reconciler.look()
    put(store, dataclasses.replace(ONE, app="shop", generation="v9"))
    store.delete("routes/news.toml")
    reconciler.look()
    assert len(read) == 5 and table.table["shop"].generation == "v9" and "news" not in table.table
    put(store, dataclasses.replace(ONE, app="news"))
    reconciler.look()
    assert len(read) == 6 and "news" in table.table


def test_a_process_that_moves_is_followed(store, table, reconciler):
    put(store, ONE)
    reconciler.look()
    moved = dataclasses.replace(PROCESS, node="node2", address="192.0.2.8", started="2099-01-01T00:00:00Z")
    service_registry.Publisher(store, Docker(moved), "node2", Clock()).look()
    reconciler.look()
    assert table.table["blog"].backends == (moved.backend,)


def test_a_route_that_is_gone_is_removed(store, table, reconciler):
    put(store, ONE)
    reconciler.look()
    store.delete("routes/blog.toml")
    reconciler.look()
    assert table.table == {} and api.kernel.documents.read(store, "routers/node1")["applied"] == {}


def test_a_broken_route_stays_as_it_was_and_stops_no_other(store, table, reconciler, capsys):
    put(store, ONE)
    reconciler.look()
    store.write("routes/blog.toml", "generation = [")
    store.write("routes/bad.toml", 'generation = "v1"')
    put(store, dataclasses.replace(ONE, app="shop"))
    put(store, dataclasses.replace(ONE, app="odd"))
    table.refuses = ("odd",)
    reconciler.look()
    assert sorted(table.table) == ["blog", "shop"] and table.table["blog"] == ONE
    told = api.kernel.documents.read(store, "routers/node1")
    assert sorted(told["refused"]) == ["bad", "blog", "odd"] and told["refused"]["odd"].endswith("nginx refuses it")
    said = capsys.readouterr().err
    reconciler.look()
    assert "blog keeps its previous route" in said and capsys.readouterr().err == "", "it is said once"


def test_a_process_out_of_reach_gets_no_requests_while_there_are_others(store, table, reconciler):
    """Its node tells of it for a minute more, and a try to connect would take its time from each request."""
    far = dataclasses.replace(PROCESS, name="blog_v3.web.2", index=2, address="10.0.0.2", node="node2")
    service_registry.Publisher(store, Docker(far), "node2", Clock()).look()
    put(store, both := dataclasses.replace(ONE, backends=(PROCESS.backend, far.backend)))
    reconciler.look()
    assert table.table["blog"] == both and reconciler.candidates() == {PROCESS.backend, far.backend}
    reconciler.lost = frozenset([far.backend])
    reconciler.look()
    assert table.table["blog"].backends == (PROCESS.backend,) and far.backend in reconciler.candidates()
    store.delete(f"{api.kernel.service.FOLDER}/blog/{far.name}")  # what was told of it expires: it is not waited for
    reconciler.look()
    assert table.table["blog"].backends == (PROCESS.backend,) and far.backend in reconciler.candidates()
    reconciler.lost = frozenset([far.backend, PROCESS.backend])
    reconciler.look()
    assert table.table["blog"] == both, "the last ones are kept"
    reconciler.lost = frozenset()
    service_registry.Publisher(store, Docker(far), "node2", Clock()).look()
    reconciler.look()
    assert table.table["blog"] == both, "it is back"


def test_what_no_route_names_is_forgotten(store, table, reconciler):
    put(store, ONE)
    reconciler.look()
    store.delete(f"{api.kernel.service.FOLDER}/blog/{PROCESS.name}")
    reconciler.look()
    assert reconciler.candidates() == {PROCESS.backend}
    put(store, dataclasses.replace(ONE, generation="v9", backends=()))
    reconciler.look()
    assert reconciler.candidates() == frozenset()


def test_signs_of_life(store, table):
    clock = Clock()
    reconciler = route_reconciler.Reconciler(store, table, "node1", lambda backend: False, clock)
    reconciler.look()
    store.delete("routers/node1")
    reconciler.look()
    assert not store.exists("routers/node1")
    clock.now += route_reconciler.RENEW
    reconciler.look()
    assert store.exists("routers/node1")


# -- the head's side ---------------------------------------------------------------------------------------------


@pytest.fixture
def agents(store, reconciler):
    """Two agents at work until the test ends: the reconciler's, and one of another node."""
    ended = threading.Event()
    other = route_reconciler.Reconciler(store, Table(), "node2", lambda backend: False, Clock())

    def work():
        while not ended.is_set():
            reconciler.look()
            other.look()
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    yield other
    ended.set()
    thread.join(10)


def test_a_route_is_in_place_once_every_router_has_it(store, table, agents):
    router = cluster_router.ClusterWideRouter(table, store)
    router.apply(ONE)
    assert table.table["blog"] == ONE and agents._router.table["blog"] == ONE
    assert router.applied("blog") == "v3" and router.routes() == ["blog"]
    router.remove("blog")
    assert table.table == {} and router.routes() == [] and router.applied("blog") == ""
    router.remove("blog")


def test_the_domains_of_an_app_that_is_not_routed_are_followed_too(store, table, agents):
    router = cluster_router.ClusterWideRouter(table, store)
    router.apply(ONE)
    router.apply(api.Route("blog", "off", ONE.domains, (), (), withheld="off"))
    assert table.table["blog"].withheld == agents._router.table["blog"].withheld == "off", (
        "waited for: it took requests"
    )
    router.apply(ONE)
    assert table.table["blog"] == ONE


def test_an_app_that_never_took_requests_waits_for_no_router(store, table, monkeypatch):
    monkeypatch.setattr(cluster_router, "PATIENCE", 0.0)
    router = cluster_router.ClusterWideRouter(table, store)
    new = api.Route("late", "not-deployed", ("late.example.org",), (), (), withheld="not-deployed")
    router.apply(new)
    router.apply(dataclasses.replace(new, domains=("other.example.org",)))
    reconciler = route_reconciler.Reconciler(store, table, "node1", lambda backend: False, Clock())
    reconciler.look()
    assert table.table["late"].domains == ("other.example.org",) and table.table["late"].withheld == "not-deployed"
    with pytest.raises(api.errors.Unavailable):
        router.apply(dataclasses.replace(ONE, app="late"))
    assert router.placed("late") == "not-deployed", "what was there is put back"


def test_a_route_that_one_router_refuses_is_put_back(store, table, agents):
    router = cluster_router.ClusterWideRouter(table, store)
    router.apply(ONE)
    agents._router.refuses = ("blog",)
    with pytest.raises(api.errors.BadConfig, match="the route of blog is refused: nginx refuses it"):
        router.apply(dataclasses.replace(ONE, generation="v4"))
    assert tomllib.loads(store.read("routes/blog.toml").text)["generation"] == "v3"


def test_a_router_that_does_not_come_is_named(store, table, monkeypatch):
    monkeypatch.setattr(cluster_router, "PATIENCE", 0.1)
    router = cluster_router.ClusterWideRouter(table, store)
    with pytest.raises(api.errors.Unavailable, match="no router of the cluster is running"):
        router.apply(ONE)
    assert router.routes() == [], "what could not be applied is put back"
    api.kernel.documents.write(store, "routers/node9", {"applied": {}, "refused": {}}, ttl=60)
    with pytest.raises(api.errors.Unavailable, match="node9 did not apply the route of blog within"):
        router.apply(ONE)


def test_a_process_nobody_tells_of_keeps_its_address(store, table, agents):
    router = cluster_router.ClusterWideRouter(table, store)
    router.apply(ONE)
    nowhere = dataclasses.replace(ONE, generation="v4", backends=(api.Backend("", (), PROCESS.name),))
    router.apply(nowhere)
    assert table.table["blog"].backends == (PROCESS.backend,)


def test_what_is_set_for_all_apps_is_followed_and_stops_no_route(store, table, capsys):
    followed, clock = [], Clock()

    def follow_platform(document):
        if document["nginx"] == {"client-header-timeout": "never"}:
            raise api.errors.BadConfig("the nginx property cannot be never")
        followed.append(document["nginx"])

    table.follow_platform = follow_platform
    reconciler = route_reconciler.Reconciler(store, table, "node1", lambda backend: False, clock)
    reconciler.look()
    assert followed == [], "there is no such document yet"
    for value, seen in (("5s", 1), ("never", 1), ("7s", 2)):
        api.kernel.documents.write(store, "platform.toml", {"nginx": {"client-header-timeout": value}})
        put(store, dataclasses.replace(ONE, generation=value))
        clock.now += route_reconciler.RENEW
        reconciler.look()
        assert len(followed) == seen and table.table["blog"].generation == value
    assert "stay unchanged: the nginx property" in capsys.readouterr().err
    reconciler.look()
    assert len(followed) == 2, "the document is read seldom"
