"""Going back, and the preview of it and of other changes."""

import pytest

from minipaas_lib import errors
from minipaas_lib.deploy import change, preview, receive, rollback
from minipaas_lib.git import repository
from minipaas_lib.records import apps, releases


@pytest.fixture
def blog(world, fake):
    """An app that is live as v3: v1 is its first image, v2 has A=1, v3 another image."""
    world.ok("apps:create", "blog")
    fake.deploy("blog", image="sha256:1", commit="1" * 40)
    world.ok("config:set", "blog", "A=1")
    fake.deploy("blog", {"web": "", "worker": "work"}, image="sha256:2", commit="2" * 40)
    return fake


def own(release) -> dict[str, str]:
    """The release's config without what plugins say."""
    return {name: value for name, value in release.config.items() if name != "GIT_REV"}


def test_to_the_one_before(blog):
    release = rollback.roll_back("blog")
    assert (release.number, release.image, release.commit, own(release)) == (4, "sha256:1", "1" * 40, {"A": "1"})
    assert release.reason == "rollback to v2" and release.status == "released" and releases.live("blog").number == 4
    assert blog.routed("blog") == ["blog_v4.web.1"] and blog.scheduler.specs["blog_v4.web.1"].image == "sha256:1"
    assert rollback.roll_back("blog").image == "sha256:2", "a second one undoes the first"


def test_config_goes_back_in_the_document_too(blog, world):
    rollback.roll_back("blog", 1)
    assert apps.load("blog").config == {} and own(releases.live("blog")) == {}
    world.ok("config:set", "blog", "B=2")
    assert own(releases.live("blog")) == {"B": "2"} and releases.live("blog").image == "sha256:1"


def test_only_image_and_only_config(blog):
    assert rollback.roll_back("blog", 1, only="image").config["A"] == "1"
    assert releases.live("blog").image == "sha256:1" and apps.load("blog").config == {"A": "1"}
    release = rollback.roll_back("blog", 1, only="config")
    assert own(release) == {} and release.reason == "rollback to v1 (config only)"


def test_all_takes_formation_domains_and_settings_back(blog, world):
    world.ok("domains:add", "blog", "blog.test")
    world.ok("ps:scale", "blog", "web=3")
    world.ok("ps:set", "blog", "stop-timeout", "5")
    assert rollback.roll_back("blog", 1, only="image").formation == {"web": 3}, "without --all they stay"
    release = rollback.roll_back("blog", 1, everything=True)
    assert release.formation == {"web": 1} and release.routing["domains"] == [] and release.options == {"web": {}}
    assert apps.load("blog").wishes == {} and apps.load("blog").created


def test_a_domain_that_another_app_has_by_now_is_refused(blog, world):
    world.ok("domains:add", "blog", "blog.test")
    number = releases.live("blog").number
    world.ok("domains:remove", "blog", "blog.test")
    world.ok("apps:create", "shop")
    world.ok("domains:add", "shop", "blog.test")
    before = world.documents()["apps/blog/app.toml"]
    with pytest.raises(errors.UsageError, match="blog.test belongs to app shop"):
        rollback.roll_back("blog", number, everything=True)
    assert world.documents()["apps/blog/app.toml"] == before


def test_refusals(blog, world):
    with pytest.raises(errors.UsageError, match="v3 of blog is already live"):
        rollback.roll_back("blog", 3)
    with pytest.raises(errors.NotFound, match="no release v9"):
        rollback.roll_back("blog", 9)
    blog.scheduler.breaks["start"] = errors.DeployFailed("no such command")
    world("ps:restart", "blog")
    with pytest.raises(errors.UsageError, match="v4 of blog failed"):
        rollback.roll_back("blog", 4)
    world.ok("ps:scale", "blog", "web=2")
    with pytest.raises(errors.UsageError, match="nothing would change") as caught:
        rollback.roll_back("blog")
    assert caught.value.hint.endswith("releases:rollback blog v3 --all")
    world.ok("apps:create", "fresh")
    with pytest.raises(errors.UsageError, match="never been deployed"):
        rollback.roll_back("fresh")
    blog.deploy("fresh")
    with pytest.raises(errors.UsageError, match="nothing was live before v1"):
        rollback.roll_back("fresh")


def test_one_that_fails_changes_nothing(blog):
    blog.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed):
        rollback.roll_back("blog", 1)
    assert releases.live("blog").number == 3 and apps.load("blog").config == {"A": "1"}
    assert releases.load("blog", 4).status == "failed" and blog.routed("blog") == ["blog_v3.web.1"]


def test_it_starts_a_stopped_app(blog, world):
    world.ok("ps:stop", "blog")
    assert rollback.roll_back("blog").number == 4 and not apps.load("blog").stopped


def test_a_plan_says_what_checks_disable_and_skip_mean(blog, world):
    world.ok("checks:disable", "blog", "web")
    change = ["config:set", "blog", "B=2", "--plan"]
    planned = world.ok(*change)
    first = "stop blog_v3.web.1 first (checks:disable): web is down until its new processes are up"
    assert planned.index(first) < planned.index("start blog_v4.web.1") and "retire blog_v3.web.1" not in planned
    assert "is down" not in world.ok("domains:add", "blog", "new.test", "--plan"), "nothing starts"
    world.ok("checks:skip", "blog", "web")
    planned = world.ok(*change)
    assert "start blog_v4.web.1" in planned and "check blog_v4.web.1" not in planned and "is down" not in planned


def test_an_image_that_has_gone_is_built_again(blog, monkeypatch):
    blog.scheduler.gone = {"sha256:1"}
    built = []
    monkeypatch.setattr(repository, "has_commit", lambda app, commit: True)
    monkeypatch.setattr(receive, "deploy_commit", lambda *words, **settings: built.append((words, settings)))
    assert rollback.plan("blog", 1).steps()[0] == "build commit 11111111"
    rollback.roll_back("blog", 1)
    (words, settings) = built[0]
    assert words == ("blog", "1" * 40, "rollback to v1") and settings["force"] and settings["edit"]
    monkeypatch.setattr(repository, "has_commit", lambda app, commit: False)
    with pytest.raises(errors.NotFound, match="both the image and the commit of v1") as caught:
        rollback.roll_back("blog", 1)
    assert "push the commit 11111111" in caught.value.hint


def test_a_global_change_since_is_told_not_undone(blog, world, capsys):
    world.ok("config:set", "--global", "G=1")
    rollback.roll_back("blog", 2)
    assert "added G" in capsys.readouterr().err and own(releases.live("blog")) == {"A": "1", "G": "1"}


def test_a_release_of_an_older_minipaas_has_no_own_config(blog):
    import dataclasses

    old = dataclasses.replace(releases.load("blog", 1), key="", wishes={})
    with pytest.raises(errors.UsageError, match="older minipaas"):
        rollback.change_of(old, releases.live("blog"), "", False)
    rollback.change_of(old, releases.live("blog"), "image", False)


def untouched(world, fake):
    return world.documents(), fake.scheduler.names(), dict(fake.router.table)


def test_a_preview_says_all_steps_and_changes_nothing(blog, world):
    before = untouched(world, blog)
    found = preview.preview(
        "blog", "config: added B", lambda document: document.setdefault("config", {}).update(B="hidden")
    )
    assert found.steps() == [
        "write release v4: config: added B",
        "  config: added B",
        "start blog_v4.web.1 from image 2",
        "check blog_v4.web.1: port 5000 accepts",
        "route no domain (http:80) to 1 web process in one change",
        "make v4 live",
        "retire blog_v3.web.1 after 30 s for its requests",
    ]
    assert "hidden" not in str(found.to_document()) and found.to_document()["release"] == "v4"
    assert untouched(world, blog) == before
    release = change.change(
        "blog", "config: added B", lambda document: document.setdefault("config", {}).update(B="hidden")
    )
    assert release.name == "v4", "as it was told"


@pytest.mark.parametrize(
    "words",
    [
        ["config:set", "blog", "B=2", "--plan"],
        ["config:unset", "blog", "A", "--plan"],
        ["ps:scale", "blog", "web=2", "--plan"],
        ["domains:add", "blog", "new.test", "--plan"],
        ["domains:remove", "blog", "blog.test", "--plan"],
        ["domains:set", "blog", "new.test", "--plan"],
        ["releases:rollback", "blog", "--plan"],
        ["releases:rollback", "blog", "v1", "--all", "--plan"],
        ["deploy:plan", "blog"],
    ],
    ids=" ".join,
)
def test_the_commands_plan_and_change_nothing(blog, world, words):
    world.ok("domains:add", "blog", "blog.test")
    world.ok("config:set", "blog", "A=2")
    before = untouched(world, blog)
    said = world.ok(*words)
    assert "write release v6: " in said and "make v6 live" in said and "=2" not in said.replace("web=2", "")
    assert untouched(world, blog) == before


def test_plans_without_a_release(blog, world):
    assert "takes effect with the next release" in world.ok("ps:scale", "blog", "web=2", "--skip-deploy", "--plan")
    world.ok("apps:create", "fresh")
    assert "fresh is not deployed" in world.ok("config:set", "fresh", "A=1", "--plan")
    assert apps.load("fresh").config == {}
    assert "--plan works for one app" in world.refused("config:set", "--global", "A=1", "--plan")
    world.ok("config:set", "blog", "SECRET=hidden", "--no-restart")
    waiting = world.ok("deploy:plan", "blog")
    assert "build commit 22222222" in waiting and "config: added SECRET" in waiting and "hidden" not in waiting


@pytest.mark.parametrize(
    "words",
    [
        ["config:set", "blog", "B=2"],
        ["config:unset", "blog", "A"],
        ["ps:scale", "blog", "web=3", "worker=2"],
        ["ps:scale", "blog", "web=0"],
        ["domains:add", "blog", "new.test"],
        ["releases:rollback", "blog", "v1"],
        ["releases:rollback", "blog", "v1", "--all"],
        ["releases:rollback", "blog", "--only", "image"],
    ],
    ids=" ".join,
)
def test_what_is_planned_is_what_is_done(blog, world, words):
    planned = world.ok(*words, "--plan")
    there = set(blog.scheduler.names())
    world.ok(*words)
    started = set(blog.scheduler.names()) - there
    assert {line.split()[1] for line in planned.splitlines() if line.startswith("       start ")} == started
    from minipaas_lib.deploy import drain

    going = {line.split()[1] for line in planned.splitlines() if line.startswith("       retire ")}
    assert going == drain.waiting("blog") - {"blog_v1.web.1", "blog_v2.web.1"}
    live = releases.live("blog")
    assert f"       write release {live.name}: {live.reason}" in planned.splitlines()
