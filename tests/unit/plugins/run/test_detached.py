"""run:detached, list, logs and stop, with a scheduler in memory."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from minipaas_lib.apps import trash
from minipaas_lib.bus.engines import Detached
from minipaas_lib.model.process import Process
from plugins.run import detached


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "serve", "worker": "work --all"})
    return fake


def test_from_start_to_end(blog, world):
    assert world.ok("run:detached", "-e", "A=1", "blog", "ls", "-l") == "blog.run.0001\n"
    assert world.ok("run:detached", "blog", "worker") == "blog.run.0002\n"
    spec = blog.scheduler.specs["blog.run.0001"]
    assert spec.command == ("ls", "-l") and spec.environment["A"] == "1" and spec.port == 0 and spec.release == 1
    assert blog.scheduler.specs["blog.run.0002"].command == "work --all" and blog.later == []
    blog.scheduler.end("blog.run.0002", 3)
    rows = json.loads(world.ok("run:list", "blog", "--format", "json"))
    assert [(row["name"], row["state"], row["exit_code"], row["ended"]) for row in rows] == [
        ("blog.run.0001", "running", "", ""),
        ("blog.run.0002", "exited", 3, "2026-01-01T00:01:00Z"),
    ]
    assert ("tidy", "blog") in blog.scheduler.calls
    assert "blog.run.0002  exited" in world.ok("run:list", "blog")
    assert world.ok("run:logs", "blog", "blog.run.0001") == "said by blog.run.0001\n"
    both = world.ok("run:logs", "blog")
    assert "2026-01-01T00:00:01Z run.0001 | said by blog.run.0001\n" in both and "run.0002 | " in both
    assert "blog.run.0001 is stopped" in world("run:stop", "blog", "1").err
    assert "blog.run.0002 is removed" in world("run:stop", "blog", "--all").err
    assert world.ok("run:list", "blog") == "" and world("run:stop", "blog", "--all").status == 0


def test_a_time_to_live_is_kept_in_the_background(blog, world, monkeypatch):
    world.ok("run:detached", "--ttl-seconds", "100", "blog", "sleep", "1000")
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now.__setitem__(0, now[0] + 10) or now[0])
    blog.scheduler.calls.clear()
    (work,) = blog.later
    work()
    assert ("tidy", "blog") in blog.scheduler.calls and sum(slept) > 90
    blog.scheduler.end("blog.run.0001")
    blog.scheduler.calls.clear()
    work()
    assert ("tidy", "blog") not in blog.scheduler.calls, "it has ended by itself"


def test_tail_takes_the_newest(blog, world, monkeypatch):
    monkeypatch.setattr(detached, "leave_with_reader", lambda: None)
    world.ok("run:detached", "blog", "a")
    world.ok("run:detached", "blog", "b")
    assert world.ok("run:logs", "blog", "-t") == "said by blog.run.0002\n"


@pytest.mark.parametrize(
    "words",
    [
        ["run:detached", "blog"],
        ["run:detached", "fresh", "ls"],
        ["run:detached", "nobody", "ls"],
        ["run:detached", "-e", "A", "blog", "ls"],
        ["run:detached", "--ttl-seconds", "0", "blog", "ls"],
        ["run:stop", "blog"],
        ["run:stop", "blog", "--all", "x"],
        ["run:stop", "blog", "blog.run.9"],
        ["run:stop", "blog", "\x1b[31m"],
        ["run:logs", "blog"],
        ["run:logs", "blog", "../x"],
        ["run:logs", "nobody"],
        ["run:list", "nobody"],
    ],
    ids=" ".join,
)
def test_what_is_refused(blog, world, words):
    world.ok("apps:create", "fresh")
    world.refused(*words)


def test_destroying_and_renaming_an_app(blog, world):
    world.ok("run:detached", "blog", "ls")
    assert "blog.run.0001" in world.refused("apps:rename", "blog", "journal")
    blog.scheduler.end("blog.run.0001")
    world.ok("apps:rename", "blog", "journal")
    assert blog.scheduler.detached() == []
    world.ok("run:detached", "journal", "ls")
    trash.destroy("journal")
    assert blog.scheduler.detached() == []


def test_doctor_names_what_runs_past_its_time(blog, world):
    world.ok("run:detached", "--ttl-seconds", "5", "blog", "ls")  # the fake's deadline is 5 seconds after 1970
    assert "still running past their time limit: blog.run.0001" in world("doctor").out
    blog.scheduler.end("blog.run.0001")
    assert "past their time" not in world("doctor").out


def one(number: int, until: int = 0, ended: str = "") -> Detached:
    return Detached(Process(f"blog.run.{number:04}", "blog", 1, "run", number), "ls", until, ended)


@given(st.text(max_size=20))
def test_any_name_is_one_of_them_or_refused(text):
    present = [one(1), one(12), one(20000)]

    class Scheduler:
        def detached(self, app):
            return present

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "scheduler", Scheduler)
        try:
            assert detached.named("blog", text) in present and text.isascii()
        except errors.NotFound as error:
            assert "\n" not in error.message


def test_overdue():
    assert detached.overdue([one(1), one(2, 100), one(3, 100, "then"), one(4, 900)], 161) == ["blog.run.0002"]


def test_output_cannot_steer_a_terminal():
    line = api.LogLine(one(1).process, "2026-01-01T00:00:01.123456789Z", "a\x1b[2Jb")
    assert detached.text(line, named=True) == "2026-01-01T00:00:01Z run.0001 | a\\x1b[2Jb"
