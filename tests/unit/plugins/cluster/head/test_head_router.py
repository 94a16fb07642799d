"""The router of a head: this host's own nginx beside those of the nodes, while apps move and afterwards."""

import pytest

from minipaas_lib import api, errors
from plugins.cluster.head import follower_process, head_router

HERE = api.Process("blog_v1.web.1", "blog", 1, "web", 1, address="10.87.0.2", port=5000, state="running")
THERE = api.Backend("10.0.0.1", ((5000, 49153),), "blog_v2.web.1")


def route(*backends) -> "api.Route":
    return api.Route("blog", "v2", ("blog.example.org",), (api.Listener("http", 80, 5000),), tuple(backends))


class Router:
    """Notes the routes that it has."""

    def __init__(self):
        self.table, self.fails = {}, None

    def apply(self, route):
        if self.fails:
            raise self.fails
        self.table[route.app] = route

    def remove(self, app):
        if self.fails:
            raise self.fails
        self.table.pop(app, None)

    def routes(self):
        return sorted(self.table)

    def applied(self, app):
        return self.table[app].generation if app in self.table else ""

    def check(self, route=None):
        self.checked = route

    def placed(self, app):
        return self.applied(app)

    def warm(self):
        self.warmed = True


class Scheduler:
    class local:
        @staticmethod
        def processes(app):
            return [HERE] if app == "blog" else []


@pytest.fixture
def made(monkeypatch):
    """make(moving) -> (the head's router, that of the cluster, this host's own)."""
    monkeypatch.setattr(api, "scheduler", Scheduler, raising=False)
    followed = []
    monkeypatch.setattr(follower_process, "ensure_running", lambda: followed.append(1))

    def make(moving):
        every, local = Router(), Router()
        every.local = local
        return head_router.HeadRouter(every, moving), every, local

    make.followed = followed
    return make


def test_a_head_is_followed_by_a_process_of_its_own(made):
    router, every, local = made("")
    router.apply(route(THERE))
    assert every.routes() == ["blog"] and local.routes() == [] and made.followed == [1]
    assert router.applied("blog") == "v2" and router.routes() == ["blog"]
    router.remove("blog")
    assert every.routes() == []


@pytest.mark.parametrize("moving", ["in", "out"])
def test_while_apps_move_this_hosts_nginx_gets_every_route(made, moving):
    router, every, local = made(moving)
    router.apply(route(THERE))
    assert every.routes() == local.routes() == router.routes() == ["blog"] and made.followed == []
    router.apply(route(HERE.backend))
    assert every.routes() == [], "no node reaches a process of this host"
    assert local.table["blog"].backends == (HERE.backend,)
    router.remove("blog")
    assert local.routes() == []


def test_an_app_without_processes_is_where_it_moves_to(made):
    router, every, local = made("in")
    router.apply(route())
    assert every.routes() == local.routes() == ["blog"]
    router, every, local = made("out")
    every.apply(route())
    router.apply(route())
    assert every.routes() == [] and local.routes() == ["blog"]


def test_nodes_that_refuse_a_route_leave_this_host_as_it_was(made):
    router, every, local = made("in")
    every.fails = errors.BadConfig("refused")
    with pytest.raises(errors.BadConfig):
        router.apply(route(THERE))
    assert local.routes() == []


def test_dead_nodes_do_not_keep_an_app_from_coming_back(made, capsys):
    router, every, local = made("out")
    every.apply(route(THERE))
    every.fails = errors.Unavailable("no router of the cluster is running")
    router.apply(route(HERE.backend))
    assert local.routes() == ["blog"] and "nodes may still route blog" in capsys.readouterr().err
