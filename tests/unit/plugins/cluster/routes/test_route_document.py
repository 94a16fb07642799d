import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api
from plugins.cluster.routes import route_document


def backend(index: int, port: int = 49153) -> "api.Backend":
    return api.Backend(f"192.0.2.{index}", ((5000, port),), f"blog_v3.web.{index}")


def service(index: int, state: str = "running", port: int = 49153) -> "api.Process":
    name, at = f"blog_v3.web.{index}", f"192.0.2.{index}"
    return api.Process(name, "blog", 3, "web", index, address=at, port=5000, state=state, ports=((5000, port),))


NAMED = [backend(1), backend(2), backend(3)]
ROUTE = api.Route(
    "blog", "v3", ("blog.example.org",), (api.Listener("http", 80, 5000),), tuple(NAMED), {"gzip": "on"}, "server {}"
)


def never(one):
    return False


def always(one):
    return True


@pytest.mark.parametrize("more", [{}, {"default": True}, {"withheld": "off", "backends": (), "listeners": ()}])
def test_a_route_is_read_back_as_it_was_written(more):
    route = dataclasses.replace(ROUTE, **more)
    assert route_document.from_document("blog", route_document.to_document(route)) == route


def test_a_route_of_a_head_of_the_version_before():
    document = route_document.to_document(ROUTE)
    del document["default"], document["withheld"]
    assert route_document.from_document("blog", document) == ROUTE


@given(
    st.dictionaries(
        st.sampled_from(list(route_document.to_document(ROUTE))),
        st.none() | st.text() | st.integers() | st.lists(st.text()),
        max_size=4,
    )
)
def test_a_bad_route_raises_nothing_else(changes):
    try:
        route_document.from_document("blog", route_document.to_document(ROUTE) | changes)
    except api.errors.InvalidFile as error:
        assert "the route of blog" in error.message


def test_requests_go_where_the_processes_are_now():
    moved = dataclasses.replace(service(2, port=50000), address="192.0.2.9")
    services = {p.name: p for p in (service(1), moved, service(3))}
    found = route_document.backends(NAMED, services, {}, never)
    assert found == [backend(1), api.Backend("192.0.2.9", ((5000, 50000),), "blog_v3.web.2"), backend(3)]


def test_a_silent_process_is_dropped_only_when_it_does_not_accept():
    services = {service(1).name: service(1)}
    assert route_document.backends(NAMED, services, {}, always) == NAMED
    assert route_document.backends(NAMED, services, {}, never) == [backend(1)]
    assert route_document.backends(NAMED, services, {}, lambda one: one.process.endswith("3")) == [
        backend(1),
        backend(3),
    ]


def test_a_process_that_ended_is_dropped_without_asking():
    services = {p.name: p for p in (service(1), service(2, "exited"), service(3, "restarting"))}
    assert route_document.backends(NAMED, services, {}, pytest.fail) == [backend(1)]


def test_the_last_ones_are_never_dropped():
    assert route_document.backends(NAMED, {}, {}, never) == NAMED
    ended = {f"blog_v3.web.{i}": service(i, "exited") for i in (1, 2, 3)}
    moved = {"blog_v3.web.2": backend(2, 50001)}
    assert route_document.backends(NAMED, ended, moved, never) == [backend(1), backend(2, 50001), backend(3)]
    assert route_document.backends([], {}, {}, never) == [], "an app without a web process has none"


STATES = st.sampled_from(["running", "exited", "restarting", "created", "silent"])


@given(st.lists(st.tuples(STATES, st.booleans()), min_size=1, max_size=6))
def test_requests_always_have_somewhere_to_go(states):
    named = [backend(i + 1) for i in range(len(states))]
    told = {f"blog_v3.web.{i + 1}": service(i + 1, state) for i, (state, _) in enumerate(states) if state != "silent"}
    accepting = {f"blog_v3.web.{i + 1}" for i, (_, accepts) in enumerate(states) if accepts}
    found = route_document.backends(named, told, {}, lambda one: one.process in accepting)
    assert found and set(found) <= set(named)
    for one, (state, _) in zip(named, states, strict=True):
        if state == "running":
            assert one in found


def test_a_lost_node_is_not_waited_for_long_unless_the_app_asks_for_it():
    assert route_document.for_nodes(ROUTE).settings == {"gzip": "on", "proxy-connect-timeout": "2s"}
    asked = dataclasses.replace(ROUTE, settings={"proxy-connect-timeout": "9s"})
    assert route_document.for_nodes(asked).settings == asked.settings
