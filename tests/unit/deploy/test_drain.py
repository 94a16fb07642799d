"""Old processes finish their requests and stop, in the background, whatever is away meanwhile."""

import threading

import pytest

from minipaas_lib import errors, store
from minipaas_lib.apps import trash
from minipaas_lib.deploy import change, drain, drain_worker
from minipaas_lib.journal import locks
from tests.unit.deploy.test_rollout import WEB_AND_WORKER, scale, set_config


@pytest.fixture
def blog(world, fake):
    """An app with one web and one worker, live as v1."""
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "worker=1")
    fake.deploy("blog", WEB_AND_WORKER)
    return fake


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when somebody sleeps."""
    now = [1_000_000.0]
    monkeypatch.setattr(drain.time, "time", lambda: now[0])
    monkeypatch.setattr(drain.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def test_retiring_waits_and_then_stops(blog, clock):
    change.change("blog", "config", set_config("1"))
    drain_worker.run("blog")
    assert blog.scheduler.names() == ["blog_v2.web.1", "blog_v2.worker.1"] and drain.waiting("blog") == set()
    assert clock[0] == pytest.approx(1_000_000 + 30, abs=2)
    stopped = [name for method, name in blog.scheduler.calls if method == "stop"]
    assert stopped == ["blog_v1.worker.1", "blog_v1.web.1"], "what takes no requests need not wait"


def test_processes_that_take_long_to_stop_do_so_at_the_same_time(blog, clock, monkeypatch):
    change.change("blog", "scale", scale(web=3))
    change.change("blog", "config", set_config("1"))
    stop, at_once = blog.scheduler.stop, threading.Barrier(3)

    def slow(process, timeout=None):
        if process.process_type == "web":
            at_once.wait(20)
        stop(process, timeout)

    monkeypatch.setattr(blog.scheduler, "stop", slow)
    drain_worker.run("blog")
    assert not at_once.broken and drain.waiting("blog") == set()
    assert sorted(blog.scheduler.names()) == [f"blog_v3.web.{n}" for n in (1, 2, 3)] + ["blog_v3.worker.1"]


def test_one_that_cannot_be_stopped_stands_in_no_others_way(blog, clock, monkeypatch):
    change.change("blog", "config", set_config("1"))
    stop = blog.scheduler.stop

    def away(process, timeout=None):
        if process.process_type == "worker" and clock[0] < 1_000_040:
            raise errors.Unavailable("docker does not answer")
        stop(process, timeout)

    monkeypatch.setattr(blog.scheduler, "stop", away)
    with pytest.raises(errors.Unavailable, match="docker"):
        drain.finish("blog", "blog_v1.web.1", "blog_v1.worker.1")
    assert drain.waiting("blog") == {"blog_v1.worker.1"} and "blog_v1.web.1" not in blog.scheduler.names()
    drain_worker.run("blog")
    assert drain.waiting("blog") == set() and clock[0] == pytest.approx(1_000_040, abs=2)


def test_what_a_drain_took_during_a_failed_deploy_is_not_missed(blog, clock, monkeypatch, capsys):
    change.change("blog", "config", set_config("1"))
    start = blog.scheduler.start

    def after_the_drain(spec):
        drain_worker.run("blog")
        return start(spec)

    monkeypatch.setattr(blog.scheduler, "start", after_the_drain)
    blog.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed):
        change.change("blog", "config", set_config("2"))
    said = capsys.readouterr().err
    assert "v2 is still live" in said and "again" not in said
    assert blog.scheduler.names() == ["blog_v2.web.1", "blog_v2.worker.1"]


def test_one_retires_at_a_time(blog):
    change.change("blog", "config", set_config("1"))
    with store.open_store().lock("retire/blog", locks.holder()):
        drain_worker.run("blog")
    assert drain.waiting("blog") == {"blog_v1.web.1", "blog_v1.worker.1"}


def test_the_next_command_goes_on_retiring(blog):
    change.change("blog", "config", set_config("1"))
    blog.spawned.clear()
    with locks.app_lock("blog"):
        assert blog.spawned == ["blog"]


def test_retiring_of_a_destroyed_app_ends(blog, clock):
    change.change("blog", "config", set_config("1"))
    trash.destroy("blog", now=True)
    drain_worker.run("blog")
    drain.finish("blog", "blog_v1.web.1")
    assert store.open_store().list("apps") == []


@pytest.mark.parametrize("silent", [1, 40])
def test_retiring_goes_on_when_the_store_answers_again(blog, clock, monkeypatch, silent):
    """Nobody else would: the command that noted the processes is over."""
    change.change("blog", "config", set_config("1"))
    read, left = drain.deadlines, [silent]

    def silent_for_a_while(app):
        if clock[0] > 1_000_010 and left[0]:
            left[0] -= 1
            raise errors.Unavailable("etcd does not answer")
        return read(app)

    monkeypatch.setattr(drain, "deadlines", silent_for_a_while)
    drain_worker.run("blog")
    assert left == [0] and drain.waiting("blog") == set()
    assert blog.scheduler.names() == ["blog_v2.web.1", "blog_v2.worker.1"]


def test_retiring_ends_where_the_store_stays_away(blog, clock, monkeypatch):
    change.change("blog", "config", set_config("1"))

    def silent(app):
        raise errors.Unavailable("etcd does not answer")

    monkeypatch.setattr(drain, "deadlines", silent)
    with pytest.raises(errors.Unavailable):
        drain_worker.run("blog")
    assert clock[0] == pytest.approx(1_000_000 + drain_worker.PATIENCE, abs=3)
