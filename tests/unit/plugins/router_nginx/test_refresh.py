"""What an upgrade makes of the files of apps: the same routes in this version's words."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from minipaas_lib.toolkit import durable_file
from plugins.router_nginx import files, host, refresh, render

ADDRESSES = st.lists(st.ip_addresses().map(str).filter(lambda text: "%" not in text), max_size=4, unique=True)
ROUTE = api.Route(
    "blog", "v4", ("blog.example.org",), (api.Listener("http", 80, 5000), api.Listener("http", 8080, 9000)), ()
)


class Router:
    """A router that puts everything into place."""

    def __init__(self, folder):
        self.host = host.Host(render.Place(folder=str(folder), logs="/var/log/nginx"))
        self.replaced, self.owned = [], []
        (folder / "live").mkdir()

    def replace(self, changes, former):
        self.replaced.append(sorted(changes))
        for path, text in changes.items():
            assert files.read(path) == former[path]
            durable_file.write(path, text)
        return []

    def own(self, route):
        self.owned.append(route.app)

    def routes(self):
        return files.apps(self.host)


@pytest.fixture
def router(tmp_path):
    return Router(tmp_path)


def put(router, route, old=True):
    path = files.app_path(router.host, route.app)
    text = render.app_file(route, router.host.place)
    durable_file.write(path, text.replace("server_tokens off;", "server_tokens build;") if old else text)
    return path, text


@given(ADDRESSES)
def test_the_backends_of_a_file_are_those_it_was_made_of(addresses):
    route = dataclasses.replace(ROUTE, backends=tuple(map(api.Backend, addresses)))
    assert {one.address for one in refresh.backends(render.app_file(route, render.Place("/x", "/y")))} == set(addresses)


def test_mapped_ports_are_left_to_who_knows_them():
    route = dataclasses.replace(ROUTE, backends=(api.Backend("192.0.2.7", ((5000, 49153), (9000, 49154))),))
    with pytest.raises(ValueError):
        refresh.backends(render.app_file(route, render.Place("/x", "/y")))


def test_what_differs_is_written_anew_at_once_and_nothing_else(router):
    routes = {
        name: dataclasses.replace(ROUTE, app=name, backends=(api.Backend("10.0.0.2"),))
        for name in ("blog", "shop", "wiki")
    }
    paths = {name: put(router, route, old=name != "wiki") for name, route in routes.items()}
    port = files.port_path(router.host, 8080)
    durable_file.write(port, "# of a former version")
    assert (
        refresh.refresh(router, lambda app, backends: dataclasses.replace(routes[app], backends=tuple(backends))) == []
    )
    assert router.replaced == [sorted([port, paths["blog"][0], paths["shop"][0]])]
    for path, text in paths.values():
        assert files.read(path) == text
    assert router.owned == ["blog", "shop", "wiki"]
    refresh.refresh(router, lambda app, backends: dataclasses.replace(routes[app], backends=tuple(backends)))
    assert len(router.replaced) == 1


def test_a_port_that_one_app_has_for_itself_stays_that_app_s(router):
    """An upgrade gave a bare address with such a port the page of a name that no app has, until its next release."""
    route = dataclasses.replace(ROUTE, backends=(api.Backend("10.0.0.2"),))
    _, text = put(router, route)
    port, made = files.port_path(router.host, 8080), render.catch_all("blog", text, 8080, router.host.place)
    for present in (made, made.replace("server_tokens off;", "server_tokens build;")):
        durable_file.write(port, present)
        put(router, route)
        assert refresh.refresh(router, lambda app, backends: dataclasses.replace(route, backends=tuple(backends))) == []
        assert files.read(port) == made and "default=blog\n" in made


def test_the_default_app_of_port_80_stays_that(router):
    route = dataclasses.replace(ROUTE, backends=(api.Backend("10.0.0.2"),), default=True)
    _, text = put(router, route)
    port, made = files.port_path(router.host, 80), render.catch_all("blog", text, 80, router.host.place)
    durable_file.write(port, made.replace("server_tokens off;", "server_tokens build;"))
    refresh.refresh(router, lambda app, backends: dataclasses.replace(route, backends=tuple(backends)))
    assert files.read(port) == made


def test_what_is_another_generation_s_or_cannot_be_made_stays(router):
    for name in ("ahead", "gone", "broken", "blog"):
        put(router, dataclasses.replace(ROUTE, app=name))

    def route_of(app, backends):
        if app == "gone":
            raise api.errors.NotFound("there is no app gone")
        if app == "broken":
            raise api.errors.InvalidFile("its document does not parse")
        return dataclasses.replace(ROUTE, app=app, generation="v3" if app == "ahead" else "v4")

    (sentence,) = refresh.refresh(router, route_of)
    assert sentence == "the route of broken stays as it was: its document does not parse"
    assert router.replaced == [[files.app_path(router.host, "blog")]]


def test_apps_that_the_router_knows_nothing_of_are_announced(router):
    """After an upgrade another app's wildcard answered for an app that was never deployed, until the next boot."""
    put(router, ROUTE)
    asked = []

    def reroute(app):
        asked.append(app)
        raise api.errors.Unavailable("nginx is not running")

    refresh.announce(router, ["shop", "blog", "new"], reroute)
    assert asked == ["new", "shop"]
