"""Which processes a router does not reach."""

import socket
import time

import gevent

from minipaas_lib import api
from plugins.cluster.routes import reachability

HERE, THERE, LATE = (api.Backend(f"10.0.0.{n}", ((5000, 32000 + n),), f"blog_v1.web.{n}") for n in (1, 2, 3))


def test_only_what_is_on_silent_nodes_is_tried_and_lost_when_it_takes_no_connection():
    asked, tried = [], []

    def silent(address):
        asked.append(address)
        return address != HERE.address

    def accepts(backend):
        tried.append(backend)
        return backend is LATE

    other = api.Backend(THERE.address, ((5000, 32777),), "shop_v1.web.1")
    found = reachability.lost([HERE, THERE, other, LATE], silent, accepts)
    assert found == {THERE, other} and sorted(asked) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert set(tried) == {THERE, other, LATE}
    assert reachability.lost([], silent, accepts) == frozenset()


def test_all_are_tried_at_the_same_time():
    many = [api.Backend("10.0.0.9", ((5000, 32000 + n),), f"blog_v1.web.{n}") for n in range(40)]
    began = time.monotonic()
    found = reachability.lost(
        many, lambda address: gevent.sleep(0.1) is None, lambda backend: gevent.sleep(0.1) or False
    )
    assert found == frozenset(many) and time.monotonic() - began < 2


def test_a_node_that_refuses_is_there(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(reachability, "PORT", server.getsockname()[1])
        assert not reachability.silent("127.0.0.1")
    assert not reachability.silent("127.0.0.1"), "nobody listens any more"


def test_a_node_that_answers_nothing_is_silent(monkeypatch):
    """A listener whose queue is full drops what comes, as a host that is gone does."""
    monkeypatch.setattr(reachability, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        monkeypatch.setattr(reachability, "PORT", server.getsockname()[1])
        waiting = []
        for _ in range(3):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(server.getsockname())
            waiting.append(one)
        time.sleep(0.05)
        assert reachability.silent("127.0.0.1")
        for one in waiting:
            one.close()
