"""Tags: what an app asks of the nodes that it runs on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from plugins.cluster.fleet.client import Machine
from plugins.tags import commands, settings

MACHINES = [
    Machine("1" * 32, "10.0.0.1", {"node": "node1", "disk": "ssd", "minipaas": "1"}),
    Machine("2" * 32, "10.0.0.2", {}),
]


def test_tags_of_a_host_of_its_own_wait(world):
    world.ok("apps:create", "blog")
    assert "once it joins a cluster" in world("tags:set", "blog", "disk=ssd", "zone=b").err
    assert json.loads(world.ok("tags:report", "blog", "--format", "json")) == {"tag-disk": "ssd", "tag-zone": "b"}
    world.ok("tags:unset", "blog", "zone")
    assert json.loads(world.ok("tags:report", "blog", "--format", "json")) == {"tag-disk": "ssd"}
    assert "no tag" in world.refused("tags:unset", "blog", "zone")
    world.refused("tags:set", "blog", "disk")
    world.refused("tags:set", "blog", "disk=a b")
    world.refused("tags:set", "nope", "disk=ssd")
    world.ok("tags:unset", "blog", "disk")
    assert api.app("blog").document.get("tags") is None


@pytest.mark.parametrize("words", [("disk",), ("=x",), ("disk=",), ("a=b=c",), ("a=1", "a=2"), ("a=\n",), ("a=%n",)])
def test_what_is_no_tag(words):
    with pytest.raises(errors.UsageError):
        settings.parse(words)


@given(st.lists(st.text(max_size=12), max_size=3))
def test_any_words_are_tags_or_refused(words):
    try:
        found = settings.parse(tuple(words))
    except errors.UsageError:
        return
    assert {f"{key}={value}" for key, value in found.items()} == set(words)


def test_machines_that_fit():
    assert settings.fitting(MACHINES, {}) == MACHINES
    assert settings.fitting(MACHINES, {"disk": "ssd"}) == MACHINES[:1]
    assert settings.fitting(MACHINES, {"disk": "ssd", "zone": "b"}) == []
    assert settings.described(MACHINES) == "node1: disk=ssd node=node1; 22222222: "


class Scheduler:
    class machines:
        @staticmethod
        def all():
            return MACHINES


@pytest.fixture
def member(world, monkeypatch):
    """A host of a cluster, as far as tags see it; what apps are changed by is noted."""
    world.ok("apps:create", "blog")
    changes = []
    monkeypatch.setattr(api.kernel.cluster, "settings", lambda: object())
    monkeypatch.setattr(api, "scheduler", Scheduler, raising=False)
    monkeypatch.setattr(api, "change", lambda app, reason, force: changes.append((app, reason)) or True, raising=False)
    return changes


def test_an_app_is_placed_anew(member):
    commands.change("blog", {"disk": "ssd"})
    assert member == [("blog", "tags: disk=ssd")] and settings.of(api.app("blog").document) == {"disk": "ssd"}
    commands.change("blog", {"disk": "ssd"})
    assert len(member) == 1, "nothing has changed"


def test_no_node_fits(member):
    with pytest.raises(errors.UsageError, match="no node has disk=hdd .there are: node1: disk=ssd"):
        commands.change("blog", {"disk": "hdd"})
    assert member == [] and settings.of(api.app("blog").document) == {}


def test_tags_are_as_before_where_the_app_cannot_be_placed(member, monkeypatch):
    def fail(*_, **__):
        raise errors.DeployFailed("it does not start")

    monkeypatch.setattr(api, "change", fail, raising=False)
    with pytest.raises(errors.DeployFailed):
        commands.change("blog", {"disk": "ssd"})
    assert settings.of(api.app("blog").document) == {}
