import json

import pytest

from minipaas_lib.bus import active_engines
from minipaas_lib.journal import locks
from minipaas_lib.records import apps
from minipaas_lib.store import open_store
from minipaas_lib.store.contract import LockHolder


class NoEngine:
    """Scheduler and router of a host on which nothing runs."""

    def remove(self, app):
        pass

    def apply(self, route):
        assert route.withheld

    def processes(self, app=None):
        return []

    def tidy(self, app, every=False):
        pass


@pytest.fixture
def idle(world, monkeypatch):
    monkeypatch.setattr(active_engines, "_engines", {"scheduler": NoEngine(), "router": NoEngine()})
    return world


def test_create_and_list(world):
    assert world.ok("apps:list") == ""
    assert world.ok("apps:list", "--format", "json") == "[]\n"
    created = world("apps:create", "shop", key="anna")
    assert created.status == 0 and "git push paas main" in created.err
    world.ok("apps:create", "blog")
    assert world.ok("apps:list") == "blog\nshop\n"
    assert json.loads(world.ok("apps:list", "--format", "json")) == ["blog", "shop"]
    assert apps.load("shop").creator == "anna"


NAMES = [
    "TestApp",
    "test_app",
    "a/b",
    "a:latest",
    "a;id",
    "a|b",
    "$x",
    "../x",
    "x" * 64,
    "blog\n",
    "paas",
    "minipaas",
    "global",
    "",
    " ",
    "a b",
    "`id`",
    "$(id)",
    "a\0b",
    "bl\u00f6g",
    "a.b",
    "a-",
    "\x1b[31m",
    "x" * 100_000,
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["apps:create", "apps:destroy", "apps:exists", "apps:lock", "apps:report"])
def test_bad_names(world, command, name):
    said = world.refused(command, name)
    assert "\x1b" not in said and len(said) < 500


@pytest.mark.parametrize("arguments", [["-x"], [], ["a", "b"], ["--", "-x"]])
def test_bad_calls(world, arguments):
    world.refused("apps:create", *arguments)


@pytest.mark.parametrize("command", ["apps:list; rm -rf /", "apps:list;", "apps:lst", "rm", "apps:list|sh"])
def test_no_shell(world, command):
    assert "is not a command" in (said := world.refused(*command.split())) or "there is no command" in said


def test_second_app_of_a_name(world):
    world.ok("apps:create", "blog")
    assert "app blog already exists" in world.refused("apps:create", "blog")


def test_exists(world):
    world.ok("apps:create", "blog")
    assert world("apps:exists", "blog").status == 0
    missing = world("apps:exists", "blgo")
    assert missing.status == 1 and "did you mean blog? If not: apps:create blgo" in missing.err


def test_destroy_asks_for_the_name(idle):
    idle.ok("apps:create", "blog")
    assert "does not match" in idle("apps:destroy", "blog", stdin="shop\n").err
    assert "does not match" in idle("apps:destroy", "blog").err
    assert idle.ok("apps:list") == "blog\n"
    idle.ok("apps:destroy", "blog", stdin="blog\n")
    assert idle.ok("apps:list") == ""


def test_destroy_by_force(idle):
    idle.ok("apps:create", "blog")
    idle.ok("apps:destroy", "blog", "--force")
    assert "there is no app" in idle.refused("apps:destroy", "blog", "--force")


def test_the_trash(idle):
    assert idle.ok("apps:trash") == ""
    assert 'there is no "blog" in the trash' in idle.refused("apps:restore", "blog")
    for _ in range(2):
        idle.ok("apps:create", "blog", key="anna")
        assert "apps:restore blog" in idle("apps:destroy", "blog", "--force", key="eve").err
    rows = json.loads(idle.ok("apps:trash", "--format", "json"))
    assert [(row["id"], row["app"], row["by"]) for row in rows] == [
        ("blog.1", "blog", "eve"),
        ("blog.2", "blog", "eve"),
    ]
    assert rows[0]["until"] > rows[0]["destroyed"] and "blog.2" in idle.ok("apps:trash")
    assert "blog is back" in idle("apps:restore", "blog.1").err
    assert apps.load("blog").creator == "anna"
    assert "app blog exists again" in idle.refused("apps:restore", "blog")
    idle.ok("apps:destroy", "blog", "--now", "--force")
    assert idle.ok("apps:trash") == "", "--now is for good, in the trash too"
    assert "there is no app" in idle.refused("apps:destroy", "blog", "--now", "--force")


def test_destroy_now_empties_the_trash_of_an_app_that_is_there_already(idle):
    idle.ok("apps:create", "blog")
    idle.ok("apps:destroy", "blog", "--force")
    idle.ok("apps:destroy", "blog", "--now", "--force")
    assert idle.ok("apps:trash") == ""


@pytest.mark.parametrize("name", [*NAMES, "blog.x", "blog.1.toml", "../blog.1", "blog.99999999", "blog."])
def test_bad_names_in_the_trash(idle, name):
    idle.refused("apps:restore", name)


def test_a_locked_app_is_not_destroyed(idle):
    idle.ok("apps:create", "blog")
    idle.ok("apps:lock", "blog")
    assert idle("apps:destroy", "blog", "--force").status == 75


def test_report(world):
    world.ok("apps:create", "blog")
    assert "App creator:                      root\n" in world.ok("apps:report")
    assert world.ok("apps:report", "blog", "--app-locked") == "false\n"
    about = json.loads(world.ok("apps:report", "blog", "--format", "json"))
    assert about["app-live-release"] == "" and about["app-dir"].endswith("/repos/blog.git")
    assert "--app-dir" in world.refused("apps:report", "blog", "--nonsense")


def test_lock(world):
    world.ok("apps:create", "blog")
    assert world("apps:locked", "blog").status == 1
    world.ok("apps:lock", "blog", "--message", "moving the database", key="anna")
    locked = world("apps:locked", "blog")
    assert locked.status == 0 and "moving the database (by anna since 20" in locked.err
    refused = world("config:set", "blog", "A=1")
    assert refused.status == 75 and "moving the database" in refused.err and "apps:unlock blog" in refused.err
    assert "already locked" in world.refused("apps:lock", "blog")
    world.ok("apps:unlock", "blog")
    assert "nothing to do" in world("apps:unlock", "blog").err
    assert "locked" not in apps.load("blog").document
    world.ok("config:set", "blog", "A=1")


@pytest.mark.parametrize("message", ["two\nlines", "x" * 201, "\x1b[31m"])
def test_lock_messages(world, message):
    world.ok("apps:create", "blog")
    world.refused("apps:lock", "blog", "--message", message)


def test_a_deploy_that_is_going_on(world):
    world.ok("apps:create", "blog")
    assert locks.held_by("blog") is None
    with open_store().lock("apps/blog", LockHolder.here("git push", "anna")):
        assert locks.held_by("blog").key == "anna"
        locked = world("apps:locked", "blog")
        assert locked.status == 0 and "'git push' (key anna" in locked.err
        frozen = world("apps:lock", "blog")
        assert frozen.status == 0 and "being changed right now, and that continues: 'git push' (key anna" in frozen.err
    assert world("apps:locked", "blog").status == 0


def test_create_on_push(world):
    world.ok("apps:set", "--global", "create-on-push", "false")
    assert apps.platform()["create-on-push"] is False
    assert world.ok("apps:report", "--global", "--app-create-on-push") == "false\n"
    world.ok("apps:set", "--global", "create-on-push")
    assert world.ok("apps:report", "--global", "--app-create-on-push") == "true\n"


@pytest.mark.parametrize(
    "arguments",
    [["create-on-push", "true"], ["--global", "create-on-push", "yes"], ["--global", "colour", "red"], ["--global"]],
)
def test_bad_settings(world, arguments):
    world.refused("apps:set", *arguments)


def test_a_broken_document_stops_its_app_alone(world):
    world.ok("apps:create", "blog")
    world.ok("apps:create", "shop")
    open_store().write("apps/blog/app.toml", "config = {\n")
    broken = world("apps:report", "blog")
    assert broken.status == 78 and "apps/blog/app.toml cannot be read, line" in broken.err
    assert world.ok("apps:list") == "blog\nshop\n"
    assert world("apps:exists", "blog").status == 0
    world.ok("apps:report", "shop")


def test_a_lock_put_on_during_a_deploy_outlives_it(fake, world, monkeypatch):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    started = []
    start = fake.scheduler.start

    def start_and_lock(spec):
        if not started:
            started.append(spec)
            apps.edit("blog", lambda document: document.update(locked="by anna"))
        return start(spec)

    monkeypatch.setattr(fake.scheduler, "start", start_and_lock)
    world.ok("config:set", "blog", "A=1")
    assert started and apps.load("blog").frozen == "by anna" and apps.load("blog").config == {"A": "1"}
    assert world("config:set", "blog", "A=2").status == 75
