"""Which routers have not taken up which routes."""

import pytest

from minipaas_lib import api
from minipaas_lib.store.directory import DirectoryStore
from plugins.cluster.routes import cluster_router, route_document, route_reconciler
from tests.fakes import FakeRouter


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))


def test_a_router_is_behind_until_it_says_that_it_has_the_route(store):
    router = cluster_router.ClusterWideRouter(FakeRouter(), store)
    for app in ("blog", "shop"):
        route = api.Route(app, "v1", (f"{app}.example.org",), (api.Listener("http", 80, 5000),), ())
        api.kernel.documents.write(store, route_document.path(app), route_document.to_document(route))
    digests = {app: route_document.digest(store.read(route_document.path(app)).text) for app in ("blog", "shop")}
    api.kernel.documents.write(store, f"{route_reconciler.FOLDER}/one", {"applied": digests, "refused": {}}, ttl=60)
    api.kernel.documents.write(
        store, f"{route_reconciler.FOLDER}/two", {"applied": {"blog": "old"}, "refused": {}}, ttl=60
    )
    assert router.behind() == {"one": [], "two": ["blog", "shop"]}
