"""Apps that go while others are looked at."""

import os

import pytest

from minipaas_lib import errors, paths
from minipaas_lib.apps import trash
from minipaas_lib.deploy import build_artifacts, change
from minipaas_lib.git import repository
from minipaas_lib.records import apps, trashed
from minipaas_lib.store import layout


@pytest.fixture
def two(world, fake):
    """Two apps that are live, each with an image of its own."""
    for name, image in (("blog", "sha256:1"), ("shop", "sha256:2")):
        world.ok("apps:create", name)
        fake.deploy(name, image=image)
    return world


def test_others_are_not_troubled_while_an_app_is_destroyed_for_good(two, monkeypatch):
    """Its releases go first, its document last; between the two plugins are told and images removed, for seconds."""
    seen = []

    def meanwhile(app):
        seen.append(build_artifacts.images_in_use("blog"))
        for command in ("apps:list", "ps:report", "releases:report", "report"):
            two.ok(*command.split())

    monkeypatch.setattr(build_artifacts, "prune_images", meanwhile)
    trash.destroy("shop", now=True)
    assert seen == [{"sha256:1"}]


@pytest.mark.parametrize("command", ["ps:report", "releases:report", "report", "logs:failed --all", "ps:restart --all"])
def test_commands_on_all_apps_leave_out_what_goes_meanwhile(two, monkeypatch, command):
    """One that was destroyed after the names were read."""
    monkeypatch.setattr(apps, "names", lambda: ["blog", "gone", "shop"])
    result = two(*command.split())
    assert result.status == 0 and "gone" not in result.out + result.err


def test_what_is_wrong_with_an_app_that_is_there_is_told(two, capsys):
    def of(name):
        if name == "shop":
            raise errors.NotFound("shop has no release v1")

    with pytest.raises(errors.MinipaasError, match="1 of 2 apps failed: shop"):
        apps.of_each(of)
    assert "shop: shop has no release v1" in capsys.readouterr().err


def test_a_change_for_all_apps_counts_no_app_that_went(two, monkeypatch):
    monkeypatch.setattr(apps, "names", lambda: ["blog", "gone"])
    assert change.change_all("global config") == 0


def test_a_store_that_does_not_answer_is_told_of_each_app(two, monkeypatch):
    """Nobody asks it then whether the app is still there."""

    def silent(name, *_, **__):
        raise errors.Unavailable("etcd does not answer")

    monkeypatch.setattr(change, "change", silent)
    monkeypatch.setattr(layout, "app", silent)
    monkeypatch.setattr(apps, "names", lambda: ["blog", "shop"])
    assert change.change_all("global config") == 2


def test_a_repository_from_before_an_upgrade_comes_back_with_the_hooks_of_today(world, fake):
    world.ok("apps:create", "blog")
    folder = repository.create("blog")
    os.unlink(os.path.join(folder, "hooks", "update"))
    trash.destroy("blog")
    trash.restore("blog")
    with open(os.path.join(folder, "hooks", "update"), "rb") as file:
        assert file.read() == paths.resource("hooks/update")


@pytest.mark.parametrize(("flags", "kept"), [((), ["blog.1"]), (("--now",), [])])
def test_a_destroy_that_docker_interrupted_is_finished_by_the_same_words(world, fake, flags, kept):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    fake.scheduler.breaks["processes"] = errors.Unavailable("docker does not answer", "sudo systemctl start docker")
    assert world("apps:destroy", "blog", "--force").status == 1
    result = world("apps:destroy", "blog", "--force", *flags)
    assert result.status == 0 and "Destroyed blog" in result.err and fake.scheduler.names() == []
    assert trashed.entries_of("blog") == kept
    assert "there is no app" in world.refused("apps:destroy", "blog", "--force")
