"""A new app of another's wishes, repository and image."""

import os

import pytest

from minipaas_lib import errors, paths, store
from minipaas_lib.apps import clone
from minipaas_lib.deploy import build_artifacts
from minipaas_lib.git import git, repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.records import apps, releases
from tests import kill_points
from tests.unit.apps.test_crash import Mortal
from tests.unit.apps.test_rename import blog, documents  # noqa: F401 - a fixture


def test_a_copy(blog, world):  # noqa: F811
    world.ok("nginx:set", "blog", "gzip", "off")
    store.open_store().write("apps/blog/build-ca.toml", "pem = 'x'\n")
    git.run([f"--git-dir={paths.repository('blog')}", "pack-refs", "--all"])
    before = documents("blog")
    said = world("apps:clone", "blog", "staging")
    assert (
        said.status == 0 and "staging v1 is live: clone of blog" in said.err and "http://staging.apps.test" in said.err
    )
    assert documents("blog") == before
    assert documents("staging")["build-ca.toml"] == "pem = 'x'\n", "what plugins keep of it goes along"
    original, copy = apps.load("blog"), apps.load("staging")
    assert copy.config == {"A": "1"} and copy.formation == original.formation and copy.table("nginx") == {"gzip": "off"}
    assert "domains" not in copy.document and copy.document["created"]
    made = releases.all_of("staging")
    assert [(release.number, release.status, release.image) for release in made] == [(1, "released", "sha256:1")]
    assert blog.routed("staging") == ["staging_v1.web.1", "staging_v1.web.2"] and blog.routed("blog")
    assert blog.router.table["staging"].domains == ("staging.apps.test",)
    assert repository.head_of("staging") == blog.commit and repository.kept_commits("staging") == {1: blog.commit}
    git.run([f"--git-dir={paths.repository('staging')}", "fsck", "--full"])


def test_without_a_deploy(blog, world, monkeypatch):  # noqa: F811
    said = world("apps:clone", "--skip-deploy", "blog", "staging")
    assert (
        "ps:rebuild staging" in said.err
        and releases.live("staging") is None
        and apps.load("staging").config == {"A": "1"}
    )
    built = []
    monkeypatch.setattr("minipaas_lib.deploy.receive.deploy_commit", lambda *words, **named: built.append(words))
    world.ok("ps:rebuild", "staging")
    assert built == [("staging", blog.commit, "rebuild")]


def test_an_app_that_was_never_deployed(blog, world):  # noqa: F811
    world.ok("apps:create", "shop")
    world.ok("apps:clone", "shop", "shop-2")
    assert releases.live("shop-2") is None and not os.path.exists(paths.repository("shop-2"))


def test_ignore_existing(blog, world):  # noqa: F811
    world.ok("apps:create", "staging")
    before = world.documents()
    world.refused("apps:clone", "blog", "staging")
    world.ok("apps:clone", "--ignore-existing", "blog", "staging")
    assert world.documents() == before


def test_what_cannot_start_is_an_app_without_a_release_that_is_live(blog, world):  # noqa: F811
    blog.scheduler.crashing = {"worker"}
    assert world("apps:clone", "blog", "staging").status != 0
    assert "staging" in apps.names() and releases.live("staging") is None and "staging" not in blog.router.table
    assert releases.load("staging", 1).status == "failed" and blog.routed("blog")


@pytest.mark.parametrize("words", [["blog", "blog"], ["nobody", "x"], ["blog", "Bad"], ["blog", "a/b"], ["blog"]])
def test_names_that_cannot_be_taken(blog, world, words):  # noqa: F811
    world.refused("apps:clone", *words)


def test_a_plugin_keeps_what_is_one_apps_own(blog, world, plugs):  # noqa: F811
    blog.deploy("blog")
    apps.edit("blog", lambda document: document.update(tunnel={"key": "k", "colour": "red"}, lease={"id": 1}))
    plugs.add(
        "tunnel", ["before_clone"], **{"hooks__before_clone": '#!/bin/sh\necho \'["tunnel.key", "lease", "none.x"]\'\n'}
    )
    world.ok("apps:clone", "--skip-deploy", "blog", "staging")
    assert apps.load("staging").table("tunnel") == {"colour": "red"} and "lease" not in apps.load("staging").document
    plugs.add("tunnel", ["before_clone"], **{"hooks__before_clone": "#!/bin/sh\necho 'no copies' >&2\nexit 1\n"})
    assert "no copies" in world.refused("apps:clone", "blog", "other")
    plugs.add("tunnel", ["before_clone"], **{"hooks__before_clone": "#!/bin/sh\necho '[\"a b\"]'\n"})
    assert "plugin tunnel" in world("apps:clone", "blog", "other").err and "other" not in apps.names()


@pytest.mark.sample("a clone killed", 8)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 13))
def test_a_clone_killed(blog, monkeypatch, number, when):  # noqa: F811
    mortal = Mortal(blog, monkeypatch)
    target: list = [(number, when)]

    def pass_point(journal, app, number, when, what):
        if (number, when) in target and app == "staging":
            target.clear()
            mortal.die()

    monkeypatch.setattr(kill_points, "pass_point", pass_point)
    store.open_store().write("apps/blog/build-ca.toml", "pem = 'x'\n")
    before = documents("blog")
    killed = mortal(lambda: clone.clone("blog", "staging"))
    assert killed == (not target) and (killed or number > 9)
    with locks.name_lock("staging"):
        pass
    assert documents("blog") == before and journal.read("staging") == {} and os.listdir(paths.work()) == []
    assert len(blog.routed("blog")) == 2
    if "staging" not in apps.names():
        assert not os.path.exists(paths.repository("staging")) and store.open_store().list("apps/staging") == []
        clone.clone("blog", "staging")
    live = releases.live("staging")
    if live:
        assert len(blog.routed("staging")) == 2
    else:
        assert "staging" not in blog.router.table and not [
            name for name in blog.scheduler.names() if name.startswith("staging")
        ]


def test_the_image_that_only_a_copy_runs_is_kept(blog, world, monkeypatch):  # noqa: F811
    world.ok("apps:clone", "blog", "staging")
    asked = []
    monkeypatch.setattr(
        "minipaas_lib.bus.manager.notify",
        lambda hook, **about: asked.append(about["kept"]) if hook == "images_unused" else None,
    )
    world.ok("apps:destroy", "blog", "--now", "--force")
    assert asked == [{"sha256:1"}]
    build_artifacts.prune_images(apps.load("staging"))
    assert asked[1:] == [{"sha256:1"}]


def test_a_disk_that_is_full(blog, world, monkeypatch):  # noqa: F811
    monkeypatch.setattr(
        os, "link", lambda source, target: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    assert "cannot be copied" in world("apps:clone", "blog", "staging").err
    assert (
        apps.names() == ["blog"]
        and store.open_store().list("apps/staging") == []
        and not os.path.exists(paths.repository("staging"))
    )
    with pytest.raises(errors.Unavailable):
        clone.clone("blog", "staging")
