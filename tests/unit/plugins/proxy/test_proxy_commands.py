"""proxy:*: what they change in the app's document, and what the route hears of it."""

import json

import pytest

from minipaas_lib import api
from minipaas_lib.deploy import compose


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def test_disable_and_enable(blog):
    before = api.app("blog").document
    assert compose.routing(api.app("blog"), "").get("enabled", True) is True
    blog.ok("proxy:disable", "blog")
    assert compose.routing(api.app("blog"), "")["enabled"] is False
    assert json.loads(blog.ok("proxy:report", "blog", "--format", "json")) == {"proxy-enabled": False}
    blog.ok("proxy:disable", "blog")
    blog.ok("proxy:enable", "blog")
    assert api.app("blog").document == before
    assert blog.ok("proxy:report", "blog", "--proxy-enabled") == "true\n"


def test_refused(blog):
    assert "there is no app" in blog.refused("proxy:disable", "blogg")
    blog.refused("proxy:disable", "a;b")
    blog.refused("proxy:report", "blog", "--nope")


@pytest.mark.parametrize("command", ["proxy:enable", "proxy:disable", "proxy:report"])
def test_help_has_an_example(world, command):
    assert f"e.g.: {command} blog" in world.ok(command, "--help")


def test_its_domains_stay_its_own_while_it_is_off(blog, fake):
    blog.ok("domains:add", "blog", "example.org")
    fake.deploy("blog")
    blog.ok("proxy:disable", "blog")
    assert fake.router.table == {} and fake.router.withheld["blog"].withheld == "off"
    assert fake.router.withheld["blog"].domains == ("example.org",)
    blog.ok("ps:scale", "blog", "web=2")
    assert fake.router.table == {}
    blog.ok("proxy:enable", "blog")
    assert len(fake.routed("blog")) == 2 and fake.router.withheld == {}
