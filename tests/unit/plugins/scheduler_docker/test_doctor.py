"""What doctor says of an app's processes."""

import dataclasses
import time

import pytest

from minipaas_lib.model.process import Diagnosis
from minipaas_lib.records import apps, releases
from plugins.scheduler_docker import hooks

NOW = time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime())
CREATED = "2026-01-01T00:00:00.1Z"


def said():
    (finding,) = hooks.doctor(apps.load("blog"))
    return finding


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    return fake


def test_processes(world, fake):
    world.ok("apps:create", "blog")
    assert said().said == "not deployed yet"
    fake.deploy("blog")
    for count in ("3", "1", "3"):
        world.ok("ps:scale", "blog", f"web={count}")
    assert said().said == "3 of 3 are running"
    fake.scheduler.set("blog_v1.web.1", state="exited", exit_code=137)
    assert not said().ok and said().said.startswith(
        "1 of 3 are not running: 1 web; web.1 ended with exit code 137: it was killed"
    )
    assert said().fix == "ps:restore blog"
    world.ok("ps:stop", "blog")
    assert said().ok


def test_what_is_gone_with_its_image_is_to_be_built_again(world, blog):
    blog.scheduler.containers.clear()
    assert said().fix == "ps:restore blog"
    blog.scheduler.gone.add(releases.live("blog").image)
    assert "the image of v1 is gone from this host" in said().said and said().fix == "ps:rebuild blog"


def test_a_paused_process_does_not_run(world, blog):
    blog.scheduler.set("blog_v1.web.1", state="paused")
    assert said().said == "1 of 1 are not running: 1 web; web.1 is paused" and said().fix == "ps:restore blog"


@pytest.mark.parametrize("state", ["running", "restarting"])
def test_a_loop_is_named_whatever_the_moment_shows(world, blog, monkeypatch, state):
    blog.scheduler.set("blog_v1.web.1", state=state, restarts=7, created=CREATED, ended=NOW)
    monkeypatch.setattr(blog.scheduler, "diagnose", lambda process, lines: Diagnosis(state, 137, True, (), ()))
    told = (
        f"web.1 was restarted 7 times since 2026-01-01T00:00:00Z, the last time at {NOW[:19]}Z after exit code 137: "
        "out of memory"
    )
    assert not said().ok and said().said.endswith(told) and said().fix == "logs blog, then: ps:restart blog"


def test_what_came_back_once_or_long_ago_is_told_and_no_fault(world, blog):
    blog.scheduler.set("blog_v1.web.1", restarts=1, created=CREATED, ended=NOW)
    assert said().ok and "1 of 1 are running; web.1 was restarted 1 time since" in said().said
    blog.scheduler.set("blog_v1.web.1", restarts=70, ended="2026-01-01T00:10:00Z")
    assert said().ok and "70 times" in said().said


def test_a_stopped_app_with_a_process(world, blog):
    world.ok("ps:stop", "blog")
    left = dataclasses.replace(blog.scheduler.start(blog.scheduler.specs["blog_v1.web.1"]), adopted=True)
    assert not said().ok and left.name in said().said and said().fix == "ps:stop blog"
    world.ok("ps:stop", "blog")
    assert said().ok
