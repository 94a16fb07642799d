"""checks:* on the command line."""

import json

import pytest

from minipaas_lib import errors
from minipaas_lib.records import apps

UP = {
    "type": "readiness",
    "name": "up",
    "kind": "command",
    "command": ["/check"],
    "attempts": 2,
    "timeout": 1,
    "wait": 0,
}


def test_set_and_report(world):
    world.ok("apps:create", "blog")
    assert world.ok("checks:report", "blog", "--checks-computed-wait-to-retire") == "30\n"
    world.ok("checks:set", "--global", "wait-to-retire", "45")
    assert world.ok("checks:report", "blog", "--checks-computed-wait-to-retire") == "45\n"
    world.ok("checks:set", "blog", "wait-to-retire", "60")
    found = json.loads(world.ok("checks:report", "blog", "--format", "json"))
    assert (
        found["checks-wait-to-retire"],
        found["checks-global-wait-to-retire"],
        found["checks-computed-wait-to-retire"],
    ) == (60, 45, 60)
    assert "45" in world.ok("checks:report", "--global")
    world.ok("checks:set", "blog", "wait-to-retire")
    world.ok("checks:set", "--global", "wait-to-retire")
    assert "checks" not in apps.load("blog").document and "checks" not in apps.platform()


def test_it_reaches_web_alone(world, fake):
    world.ok("apps:create", "blog")
    world.ok("checks:set", "blog", "wait-to-retire", "0")
    options = fake.deploy("blog", {"web": "", "worker": ""}).options
    assert options == {"web": {"wait_to_retire": 0}, "worker": {}}


@pytest.mark.parametrize(
    "words",
    [
        ("blog", "wait-to-retire", "x"),
        ("blog", "wait-to-retire", "-1"),
        ("blog", "wait-to-retire", "86401"),
        ("blog", "x", "1"),
        ("blog",),
        ("--global", "x"),
        ("blog", "wait-to-retire", "1", "2"),
        ("none", "wait-to-retire", "1"),
    ],
)
def test_refused(world, words):
    world.ok("apps:create", "blog")
    world.refused("checks:set", *words)


def test_a_type_that_there_may_not_be(world, fake):
    world.ok("apps:create", "blog")
    said = world("checks:skip", "blog", "worker")
    assert said.status == 0 and "blog is not deployed yet: check that its Procfile has the type worker" in said.err
    world.ok("ps:scale", "blog", "clock=1")
    fake.scheduler.crashing.add("clock")
    with pytest.raises(errors.DeployFailed):
        fake.deploy("blog", {"web": "", "clock": "tick"})
    world.ok("checks:skip", "blog", "clock")
    assert "it has clock, web" in world.refused("checks:skip", "blog", "worker")


def test_modes(world, fake):
    world.ok("apps:create", "blog")
    world.ok("checks:disable", "blog")
    world.ok("checks:skip", "blog", "worker,clock")
    world.ok("checks:enable", "blog", "web", "clock")
    table = json.loads(world.ok("checks:report", "blog", "--format", "json"))
    assert (table["checks-disabled-list"], table["checks-skipped-list"]) == (["_all_"], ["worker"])
    options = fake.deploy("blog", {"web": "", "worker": "", "other": ""}).options
    assert options == {"web": {}, "worker": {"checks": "skipped"}, "other": {"checks": "disabled"}}
    assert "blog has no process type nothing: it has other, web, worker" in world.refused(
        "checks:skip", "blog", "nothing"
    )
    world.refused("checks:disable", "blog", "Web!")
    world.ok("checks:enable", "blog")
    assert "checks" not in apps.load("blog").document


def test_run(world, fake):
    world.ok("apps:create", "blog")
    assert "never been deployed" in world.refused("checks:run", "blog")
    world.ok("ps:scale", "blog", "worker=1")
    fake.deploy("blog", {"web": "", "worker": ""}, healthchecks={"worker": [UP]})
    assert "worker.1 is fine" in world("checks:run", "blog").err
    fake.scheduler.probes = [(3, "no queue"), (3, "no queue")]
    said = world("checks:run", "blog", "worker.1")
    assert (
        said.status == 1
        and "check 'up' failed 2 times: exit code 3: \"no queue\"" in said.err
        and "web.1" not in said.err
    )
    assert "web.1 worker.1" in world.refused("checks:run", "blog", "web.9")
    assert world.ok("checks:report", "blog", "--checks-of-live-release") == "worker:readiness:command\n"


def test_a_check_that_is_not_passed_keeps_the_old(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    fake.scheduler.probes = [(1, "")] * 2
    with pytest.raises(errors.DeployFailed, match="check 'up' failed 2 times: exit code 1"):
        fake.deploy("blog", image="sha256:2", healthchecks={"web": [UP]})
    assert fake.routed("blog") == ["blog_v1.web.1"] and fake.scheduler.names() == ["blog_v1.web.1"]
