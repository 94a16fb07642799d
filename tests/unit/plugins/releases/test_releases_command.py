"""releases:* on the command line."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors, paths
from minipaas_lib.records import apps, releases
from plugins.releases import pruning, settings
from plugins.releases.commands import ReleaseNumber


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog", image="sha256:1")
    return fake


def test_releases(world, fake):
    world.ok("apps:create", "blog")
    assert world("releases", "blog").out == ""
    fake.deploy("blog")
    world.ok("ps:scale", "blog", "web=2", key="anna")
    fake.scheduler.breaks["start"] = errors.DeployFailed("no such command")
    assert world("ps:restart", "blog").status == 1
    rows = json.loads(world.ok("releases", "blog", "--format", "json"))
    assert [(row["v"], row["status"], row["who"]) for row in rows] == [
        ("v3", "failed", "root"),
        ("v2", "live", "anna"),
        ("v1", "superseded", "root"),
    ]
    assert rows[0]["reason"] == "restart: no such command" and rows[1]["reason"] == "scale: web=1 -> 2"
    lines = world.ok("releases", "blog", "-n", "1").splitlines()
    assert (
        lines[0].split() == ["V", "STATUS", "WHEN", "WHO", "COMMIT", "REASON"]
        and lines[1].startswith("v3")
        and len(lines) == 2
    )
    world.refused("releases", "nobody")
    world.refused("releases", "blog", "-n", "0")


def test_info_names_config_and_what_changed_and_no_value(world, blog):
    world.ok("config:set", "blog", "A=hidden-1", "B=hidden-2", key="anna")
    world.ok("config:set", "blog", "A=hidden-3")
    text = world.ok("releases:info", "blog", "v3", "--format", "json")
    rows = json.loads(text)
    assert rows["config"] == ["A", "B", "GIT_REV"] and rows["config-changed"] == ["A"] and rows["config-added"] == []
    assert rows["compared-with"] == "v2" and rows["reason"] == "config: changed A" and rows["status"] == "live"
    assert rows["image"] == "sha256:1" and rows["created"] and rows["ended"] and rows["output"]
    shown = world.ok("releases:info", "blog", "2")
    assert "anna" in shown and "Config added:" in shown and "hidden" not in shown + text
    world.refused("releases:info", "blog", "v9")
    for word in ("x", "v0", "v-1", "v1\n", "v٣", "../1", ""):
        assert "is not a release such as v3" in world.refused("releases:info", "blog", word)


def test_diff(world, blog):
    world.ok("config:set", "blog", "A=hidden")
    world.ok("ps:scale", "blog", "web=2")
    assert "formation: web=1 -> 2" in world.ok("releases:diff", "blog", "v1")
    found = json.loads(world.ok("releases:diff", "blog", "v1", "v3", "--format", "json"))
    assert (
        found["config"]["added"] == ["A"]
        and found["formation"] == {"web": {"from": 1, "to": 2}}
        and found["image"] is None
    )
    assert "run the same" in world.ok("releases:diff", "blog", "v2", "v2")
    assert "hidden" not in str(found)


def test_output(world, blog):
    world.ok("config:set", "blog", "A=1")
    assert "v2 is live" in world.ok("releases:output", "blog") and world.ok("releases:output", "blog", "v2")
    assert "is no longer kept" in world.refused("releases:output", "blog", "v1")
    world.ok("apps:create", "fresh")
    assert "no release yet" in world.refused("releases:output", "fresh")


def test_rollback_command(world, blog):
    world.ok("config:set", "blog", "A=1")
    assert "v3 is live: rollback to v1" in world("releases:rollback", "blog").err
    assert apps.load("blog").config == {}
    assert "cannot be combined" in world.refused("releases:rollback", "blog", "v2", "--only", "image", "--all")
    world.refused("releases:rollback", "blog", "v9")


def test_set_keep(world, blog):
    assert settings.keep(apps.load("blog")) == 10
    world.ok("releases:set", "--global", "keep", "5")
    assert settings.keep(apps.load("blog")) == 5
    world.ok("releases:set", "blog", "keep=3")
    assert json.loads(world.ok("releases:report", "blog", "--format", "json")) == {
        "releases-keep": 3,
        "releases-kept": ["v1"],
    }
    world.ok("releases:set", "blog", "keep")
    world.ok("releases:set", "--global", "keep")
    assert settings.keep(apps.load("blog")) == 10 and "releases" not in apps.load("blog").document
    for words in (
        ["blog", "keep", "0"],
        ["blog", "keep", "x"],
        ["blog", "keep", "1001"],
        ["blog"],
        [],
        ["blog", "size", "3"],
        ["nobody", "keep", "3"],
        ["--global", "keep", "3", "4"],
    ):
        world.refused("releases:set", *words)


def test_kept_are_those_that_were_live_last_and_the_live_one(world, blog):
    for turn in range(5):
        world.ok("config:set", "blog", f"A={turn}")
    blog.scheduler.breaks["start"] = errors.DeployFailed("no such command")
    world("ps:restart", "blog")
    names = [release.name for release in releases.kept("blog", 3)]
    assert names == ["v6", "v5", "v4"], "the failed v7 takes no place"
    releases.set_live(releases.load("blog", 2))
    assert [release.name for release in releases.kept("blog", 3)] == ["v6", "v5", "v4", "v2"]


@pytest.fixture
def removed(monkeypatch):
    """What the builders were asked to keep, and the commits that were let go."""
    seen = {"dropped": []}

    def call(hook, **arguments):
        seen[hook] = arguments
        return [["minipaas/blog:v1"]]

    monkeypatch.setattr(api, "call", call)
    seen["refs"] = {number: f"commit {number}" for number in (1, 2, 3, 4, 5, 9)}
    monkeypatch.setattr(api.repository, "kept_commits", lambda app: seen["refs"])
    monkeypatch.setattr(api.repository, "drop_release", lambda app, number: seen["dropped"].append(number))
    return seen


def test_prune_keeps_what_can_be_gone_back_to_and_what_is_being_made(world, blog, removed):
    world.ok("apps:create", "shop")
    blog.deploy("shop", image="sha256:shop")
    for turn in range(2, 6):
        blog.deploy("blog", image=f"sha256:{turn}")
    world.ok("releases:set", "blog", "keep", "2")
    folder = paths.output("blog")
    os.makedirs(folder, exist_ok=True)
    for name in ("v1.log", "v3.log", "v4.log", "v5.log", "v6.log", "notes.txt"):
        open(os.path.join(folder, name), "w").close()
    assert "blog: 6 removed" in world("releases:prune", "blog").err
    assert sorted(os.listdir(folder)) == ["notes.txt", "v4.log", "v5.log", "v6.log"], "v6 is being made"
    assert removed["dropped"] == [1, 2, 3]
    asked = removed["images_unused"]
    assert (
        asked["app"].name == "blog"
        and asked["newest"] == 5
        and asked["kept"] == {"sha256:4", "sha256:5", "sha256:shop"}
    )
    assert [release.number for release in releases.all_of("blog")] == [1, 2, 3, 4, 5], "the list stays whole"


def test_the_commit_of_a_kept_release_is_kept_whichever_release_brought_it(world, blog, removed):
    for turn in range(2, 6):
        world.ok("config:set", "blog", f"A={turn}")  # all run the commit of v1
    removed["refs"] = {1: "other", 2: "c" * 40, 3: "c" * 40, 9: "new"}
    world.ok("releases:set", "blog", "keep", "1")
    world.ok("releases:prune", "blog")
    assert removed["dropped"] == [1, 2], "v3 holds it, once"


def test_a_rolled_back_image_is_kept_whatever_its_age(world, blog, removed):
    for turn in range(2, 5):
        blog.deploy("blog", image=f"sha256:{turn}")
    world.ok("releases:set", "blog", "keep", "1")
    world.ok("releases:rollback", "blog", "v1")
    world.ok("releases:prune", "blog")
    assert removed["images_unused"]["kept"] == {"sha256:1"}


def test_pruning_comes_after_deploys_in_the_background(world, blog):
    world.ok("releases:set", "blog", "keep", "2")
    assert blog.later == []
    world.ok("config:set", "blog", "A=1")
    assert blog.later == [], "nothing is beyond what is kept"
    world.ok("config:set", "blog", "A=2")
    assert len(blog.later) == 1
    blog.scheduler.breaks["start"] = errors.DeployFailed("no such command")
    world("ps:restart", "blog")
    assert len(blog.later) == 2, "the image of a failed release goes too"


def test_nothing_to_prune_before_the_first_release(world, fake):
    world.ok("apps:create", "fresh")
    assert pruning.prune(apps.load("fresh")) == {"images": [], "output": [], "commits": []}
    assert "nothing to remove" in world("releases:prune", "fresh").err


words = st.text(max_size=12) | st.from_regex(r"v?[0-9]{1,10}", fullmatch=True)


@given(words)
def test_a_release_is_v_and_a_number(text):
    try:
        number = ReleaseNumber().convert(text, None, None)
    except errors.UsageError as error:
        assert "\n" not in error.message and error.hint
    else:
        assert f"v{number}" == "v" + text.removeprefix("v") and number > 0


@given(words)
def test_keep_is_a_small_number(text):
    try:
        assert 1 <= settings.parse_keep(text) <= settings.MOST
    except errors.UsageError as error:
        assert "\n" not in error.message and error.hint
