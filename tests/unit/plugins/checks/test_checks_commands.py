"""checks:* on the command line."""

import json

import pytest

from minipaas_lib.pipeline import apps


def test_set_and_report(world):
    world.ok("apps:create", "blog")
    assert world.ok("checks:report", "blog", "--checks-wait-to-retire") == "30\n"
    world.ok("checks:set", "blog", "wait-to-retire", "60")
    assert json.loads(world.ok("checks:report", "blog", "--format", "json")) == {"checks-wait-to-retire": 60}
    world.ok("checks:set", "blog", "wait-to-retire")
    assert "checks" not in apps.load("blog").document


def test_it_reaches_web_alone(world, fake):
    world.ok("apps:create", "blog")
    world.ok("checks:set", "blog", "wait-to-retire", "0")
    options = fake.deploy("blog", {"web": "", "worker": ""}).options
    assert options == {"web": {"wait_to_retire": 0}, "worker": {}}


@pytest.mark.parametrize(("key", "value"), [("wait-to-retire", "x"), ("wait-to-retire", "-1"), ("wait-to-retire", "86401"), ("x", "1")])
def test_refused(world, key, value):
    world.ok("apps:create", "blog")
    world.refused("checks:set", "blog", key, value)
