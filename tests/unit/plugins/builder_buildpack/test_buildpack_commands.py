"""buildpacks:* as typed, in a world without docker."""

import json

import pytest

from minipaas_lib.model.app import App
from plugins.builder_buildpack import cleanup, fetch, owner, pins
from plugins.builder_buildpack.references import Reference

GO = "https://github.com/heroku/heroku-buildpack-go.git"


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def listed(world):
    return [row["buildpack"] for row in json.loads(world.ok("buildpacks:list", "blog", "--format", "json"))]


def test_the_list_is_kept_in_its_order(blog):
    blog.ok("buildpacks:add", "blog", "node")
    blog.ok("buildpacks:add", "blog", "heroku/go")
    blog.ok("buildpacks:add", "--index", "1", "blog", "static")
    assert listed(blog) == ["static", "node", GO]
    blog.ok("buildpacks:set", "--index", "2", "blog", "python")
    assert listed(blog) == ["static", "python", GO]
    blog.ok("buildpacks:set", "blog", "procfile")
    blog.ok("buildpacks:remove", "blog", "heroku/go")
    assert listed(blog) == ["procfile", "python"]
    blog.ok("buildpacks:set", "--replace", "blog", "node", "python")
    assert listed(blog) == ["node", "python"]
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-list") == "node python\n"
    blog.ok("buildpacks:clear", "blog")
    assert listed(blog) == []


def test_what_cannot_be_done_is_refused_and_changes_nothing(blog):
    blog.ok("buildpacks:set", "--replace", "blog", "node", "python")
    for words in (
        ("add", "blog", "node"),
        ("add", "blog", "http://x/y"),
        ("set", "blog", "python"),
        ("set", "blog", "node", "static"),
        ("set", "--replace", "blog", "node", "node"),
        ("set", "--replace", "--index", "1", "blog", "node"),
        ("remove", "blog", "static"),
        ("add", "--index", "0", "blog", "static"),
        ("add", "nobody", "static"),
        ("detect", "blog"),
        ("detect", "blog", "--branch", "--output=x"),
        ("set-property", "blog"),
        ("set-property", "blog", "colour", "red"),
        ("set-property", "blog", "stack", "-x"),
        ("set-property", "--global", "stack", "a", "b"),
        ("set-property", "--global", "local-folder", "relative"),
    ):
        blog.refused("buildpacks:" + words[0], *words[1:])
    assert "at most 20 buildpacks" not in blog.ok("buildpacks:list", "blog")


def test_only_root_opens_a_folder_of_the_host(blog):
    assert blog("buildpacks:set-property", "--global", "local-folder", "/etc", key="anna").status == 77
    assert blog("buildpacks:set-property", "blog", "local-folder", "/etc").status == 77
    blog.ok("buildpacks:set-property", "--global", "local-folder", "/srv/packs/")
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-local-folder") == "/srv/packs\n"
    blog.ok("buildpacks:set-property", "--global", "local-folder")
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-local-folder") == "\n"


def test_the_stack_of_an_app_goes_before_that_of_all(blog):
    blog.ok("buildpacks:set-property", "--global", "stack", "debian:12")
    blog.ok("buildpacks:set-property", "blog", "stack", "debian:13")
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-stack") == "debian:13\n"
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-global-stack") == "debian:12\n"
    blog.ok("buildpacks:set-property", "blog", "stack")
    assert blog.ok("buildpacks:report", "blog", "--buildpacks-stack") == "\n"


def test_a_pin_stays_until_its_buildpack_is_set_again(blog):
    go, node = fetch.Pack(Reference("git", GO), "c" * 40, "x"), fetch.Pack(Reference("ours", "node"))
    blog.ok("buildpacks:set", "--replace", "blog", GO, "node")
    pins.remember("blog", "sha256:1", [go, node])
    rows = json.loads(blog.ok("buildpacks:list", "blog", "--format", "json"))
    assert rows == [{"buildpack": GO, "commit": "c" * 40}, {"buildpack": "node", "commit": ""}]
    assert pins.built_with("blog", "sha256:1") == [f"{GO}#{'c' * 40}", "node"]
    blog.ok("buildpacks:set", "--index", "2", "blog", "python")
    assert pins.pinned("blog") == {GO: "c" * 40}
    blog.ok("buildpacks:set", "blog", "heroku/go")
    assert pins.pinned("blog") == {} and pins.built_with("blog", "sha256:1")


def test_only_so_many_images_are_remembered(blog):
    for number in range(pins.KEPT_IMAGES + 5):
        pins.remember("blog", f"sha256:{number}", [])
    assert len(pins.read("blog")["images"]) == pins.KEPT_IMAGES and pins.read("blog")["images"].get("sha256:104") == []


def test_images_of_kept_releases_and_of_builds_to_come_stay():
    listed = [
        "sha256:1 minipaas/blog:v1",
        "sha256:2 minipaas/blog:v2",
        "sha256:3 minipaas/blog:v3",
        "sha256:4 minipaas/blog:vx",
    ]
    assert cleanup.unused("blog", listed, {"sha256:2"}, 2) == ["minipaas/blog:v1"]


def test_a_process_is_known_by_more_than_its_number():
    assert owner.alive(owner.me())
    boot, pid, began = owner.me().split(":")
    for dead in (f"{boot}:{pid}:{int(began) + 1}", f"x:{pid}:{began}", "", f"{boot}:999999999:{began}", f"{boot}::"):
        assert not owner.alive(dead)


def test_the_choice_of_a_source_tree_is_told_with_its_reason(blog, tmp_path):
    from plugins.builder_buildpack import hooks

    assert hooks.detect_builder(App("blog"), str(tmp_path)) is None
    (tmp_path / "index.html").write_text("x")
    assert hooks.detect_builder(App("blog"), str(tmp_path)) == "buildpack: static, there is an index.html"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "blog", "/nodejs"), "did you mean heroku/nodejs"),
        (("set", "blog", "/python"), "did you mean python?"),
        (("add", "blog", "/srv/packs/one"), "not allowed"),
        (("add", "blog", "https://127.0.0.1/x.git"), "does not fetch"),
        (("add", "blog", "https://localhost/x.git"), "does not fetch"),
        (("add", "blog", "https://h.test:99999/x.git"), "port"),
        (("set-property", "blog", "stack", "minipaas/other:v1"), "image of the app other"),
        (("set-property", "--global", "stack", "minipaas/other:v1"), "belongs to the app other"),
        (("set-property", "blog", "stack", "a..b"), "not an image's name"),
        (("set-property", "blog", "stack", "debian:"), "not an image's name"),
    ],
)
def test_what_the_next_build_would_refuse_is_refused_when_it_is_set(blog, words, said):
    blog.ok("apps:create", "other")
    assert said in blog.refused("buildpacks:" + words[0], *words[1:])
    assert listed(blog) == []


def test_folders_below_the_one_of_root_and_names_that_nobody_looks_up_yet_are_set(blog, tmp_path):
    (tmp_path / "one/.git").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    blog.ok("buildpacks:set-property", "--global", "local-folder", str(tmp_path))
    blog.ok("buildpacks:add", "blog", str(tmp_path / "one"))
    assert "not a git repository" in blog.refused("buildpacks:add", "blog", str(tmp_path / "two"))
    blog.ok("buildpacks:add", "blog", "https://no-such-host.invalid/x.git")
    for image in (
        "debian:12",
        "registry.example.org:5000/a/b_c:1.0@sha256:" + "a" * 64,
        "heroku/heroku:24-build",
        "localhost/x",
        "localhost:5000/x",
        "minipaas/blog:v1",
        "python:3.13-bookworm",
    ):
        blog.ok("buildpacks:set-property", "blog", "stack", image)


def test_config_that_names_a_buildpack_is_looked_at_when_it_is_set(blog):
    for value in ("/nodejs", "http://x/y", "nonsense nonsense"):
        assert "BUILDPACK_URL" not in blog.ok("config:keys", "blog")
        blog.refused("config:set", "blog", f"BUILDPACK_URL={value}")
        blog.refused("config:set", "--global", f"BUILDPACK_URL={value}")
    blog.ok("config:set", "blog", "BUILDPACK_URL=heroku/go")
    blog.ok("config:set", "blog", "BUILDPACK_URL=")
    blog.ok("config:unset", "blog", "BUILDPACK_URL")
