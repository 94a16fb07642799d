"""What runs for an app that has no document any more."""

import re

import pytest

from minipaas_lib import errors, store
from minipaas_lib.apps import orphans
from minipaas_lib.deploy import drain
from minipaas_lib.journal import journal, locks
from minipaas_lib.store import layout


@pytest.fixture
def lost(world, fake):
    """shop is well; the document of blog, which serves, has gone."""
    for name in ("shop", "blog"):
        world.ok("apps:create", name)
        fake.deploy(name)
    store.open_store().delete_tree("apps/blog")
    return fake


def test_doctor_reports_and_removes_them(lost, world):
    said = world("doctor")
    assert said.status == 1 and re.search("BROKEN  app blog +1 process without an app of that name", said.out)
    assert lost.scheduler.names() == ["blog_v1.web.1", "shop_v1.web.1"], "a look changes nothing"
    assert "blog: 1 process without an app removed" in world("doctor", "--fix").err
    assert lost.scheduler.names() == ["shop_v1.web.1"] and list(lost.router.table) == ["shop"]
    assert "without an app" not in world("doctor").out and "nothing was left unfinished" in world("doctor", "--fix").err


def test_a_route_alone_is_one_too(lost):
    lost.scheduler.containers.pop("blog_v1.web.1")
    assert orphans.found() == {"blog": []}
    assert orphans.remove() == ["blog: a route without an app removed"] and list(lost.router.table) == ["shop"]


def test_an_empty_store_is_not_believed(lost, world):
    store.open_store().delete_tree("apps/shop")
    assert "restore the lost state" in world("doctor").out
    assert orphans.remove() == [] and lost.scheduler.names() == ["blog_v1.web.1", "shop_v1.web.1"]


def test_what_a_command_works_on_or_drains_is_left_alone(lost):
    journal.begin("blog", "rollout", release=2)
    assert orphans.found() == {}
    journal.end("blog")
    drain.add("blog", lost.scheduler.processes("blog"))
    assert orphans.found() == {}
    store.open_store().delete(layout.retiring("blog"))
    with locks.name_lock("blog"):
        assert orphans.found() == {}
    assert list(orphans.found()) == ["blog"]


def test_a_name_that_is_none_of_ours_is_told_and_left(lost, capsys):
    lost.scheduler.set("blog_v1.web.1", app="../x")
    lost.router.table.pop("blog")
    assert orphans.remove() == [] and "cannot be the name of an app" in capsys.readouterr().err
    assert "blog_v1.web.1" in lost.scheduler.names()


def test_an_engine_that_does_not_answer_is_reported(lost, capsys):
    lost.scheduler.breaks["stop"] = errors.Unavailable("docker does not answer")
    assert orphans.remove() == [] and "blog: docker does not answer" in capsys.readouterr().err
    assert orphans.remove() == ["blog: 1 process without an app removed"]
