"""Which routers have not taken up which routes."""

import pytest

from minipaas_lib import api
from minipaas_lib.store.directory import DirectoryStore
from plugins.node import everywhere, following, routing
from tests.fakes import FakeRouter


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))


def test_a_router_is_behind_until_it_says_that_it_has_the_route(store):
    router = everywhere.EveryRouter(FakeRouter(), store)
    for app in ("blog", "shop"):
        route = api.Route(app, "v1", (f"{app}.example.org",), (api.Listener("http", 80, 5000),), ())
        api.documents.write(store, routing.path(app), routing.to_document(route))
    digests = {app: routing.digest(store.read(routing.path(app)).text) for app in ("blog", "shop")}
    api.documents.write(store, f"{following.FOLDER}/one", {"applied": digests, "refused": {}}, ttl=60)
    api.documents.write(store, f"{following.FOLDER}/two", {"applied": {"blog": "old"}, "refused": {}}, ttl=60)
    assert router.behind() == {"one": [], "two": ["blog", "shop"]}
