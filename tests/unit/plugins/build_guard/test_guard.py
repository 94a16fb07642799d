"""What a build needs and what is refused; the commands; the helper that caps builds on made-up cgroup trees."""

import importlib.machinery
import importlib.util
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, store
from minipaas_lib.records import apps
from plugins.build_guard import host, needs, room, settings

PLENTY = needs.Free(disk=50 << 30, inodes=1 << 20, state=50 << 30, memory=8 << 30)


@pytest.fixture
def blog(world, monkeypatch):
    world.ok("apps:create", "blog")
    world.free = [PLENTY]
    world.ran = []
    monkeypatch.setattr(host, "engine", lambda: host.Engine())
    monkeypatch.setattr(host, "free", lambda folder: world.free.pop(0) if len(world.free) > 1 else world.free[0])
    monkeypatch.setattr(host, "docker", lambda *words, **named: world.ran.append(words) or "")
    return world


def make():
    room.make(apps.load("blog"), "/var/lib/docker")


def test_where_there_is_room_nothing_is_done(blog):
    make()
    assert blog.ran == []


def test_the_first_build_is_guessed_and_later_ones_measured(blog):
    assert needs.needed(None, {}) == needs.FIRST_BUILD
    room.remember("blog", PLENTY, PLENTY._replace(disk=45 << 30, memory=7 << 30))
    took = room.last("blog")
    assert took == needs.Free(disk=5 << 30, inodes=0, state=0, memory=1 << 30)
    assert needs.needed(took, {}).disk == int(5 * 1.25 * (1 << 30)) + needs.EDGE.disk


def test_the_cache_goes_first_then_all_of_it(blog, capsys):
    little = PLENTY._replace(disk=1 << 20)
    blog.free = [little, little, PLENTY]
    make()
    kept = [words[words.index("--keep-storage") + 1] for words in blog.ran if words[0] == "builder"]
    assert kept == [str(settings.KEEP_CACHE), "0"]
    assert all("label=minipaas.app" in words for words in blog.ran if words[0] == "image"), "only ours"
    assert "pruning freed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("short", "word"), [({"disk": 100 << 20}, "100 MB"), ({"inodes": 3}, "inodes"), ({"memory": 20 << 20}, "memory")]
)
def test_a_build_that_would_not_get_by_is_refused_with_what_to_type(blog, short, word):
    blog.free = [PLENTY._replace(**short)]
    with pytest.raises(errors.BuildFailed, match="blog is not built") as caught:
        make()
    assert word in caught.value.message
    command = caught.value.hint.rpartition("guard:set ")[2].split()
    blog.ok("guard:set", *command)
    make()


def test_what_is_set_wins_over_what_was_measured(blog):
    room.remember("blog", PLENTY, PLENTY._replace(memory=0))
    with pytest.raises(errors.BuildFailed):
        make()
    blog.ok("guard:set", "--global", "min-free-memory", "64m")
    make()
    blog.ok("guard:set", "blog", "min-free-memory", "9g")
    with pytest.raises(errors.BuildFailed):
        make()
    blog.ok("guard:set", "blog", "min-free-memory")
    blog.ok("guard:set", "--global", "min-free-memory")
    assert "guard" not in apps.load("blog").document and "guard" not in apps.platform()


def test_a_note_that_cannot_be_read_stops_no_build(blog):
    store.open_store().write(room.path("blog"), "disk = 'much'\n")
    make()
    assert room.last("blog") is None and blog.ran == [], "as before the first build, and there is room for that"


def test_the_cap_leaves_what_runs_where_it_is():
    assert needs.cap(1 << 30, 600 << 20, "auto") == (600 << 20) - ((1 << 30) // 10)
    assert needs.cap(512 << 20, 10 << 20, "auto") == needs.LEAST_CAP
    assert needs.cap(4 << 30, 1 << 30, "auto") == 0 == needs.cap(1 << 30, 1 << 29, "off")
    assert needs.cap(64 << 30, 32 << 30, 300 << 20) == 300 << 20


def test_commands_refuse_what_is_none_of_theirs(blog):
    for line in (
        "blog",
        "blog x 1",
        "blog min-free-disk much",
        "blog build-memory 1g",
        "--global build-memory 1k",
        "--global keep-cache auto",
        "blog min-free-inodes 1k",
    ):
        blog.refused("guard:set", *line.split())
    assert "50.0 GB" in blog.ok("guard:report", "blog") and "MB" in blog.ok("guard:report", "--global")


@given(st.text())
def test_any_text_is_a_size_or_refused(text):
    for key in settings.PROPERTIES:
        try:
            value = settings.parse(key, text)
        except errors.UsageError:
            continue
        assert value in ("auto", "off") or 0 <= value < 1 << 80


# -- the helper ----------------------------------------------------------------------------------------------------


@pytest.fixture
def helper():
    path = os.path.join(os.path.dirname(settings.__file__), "../../minipaas_lib/install/build-memory")
    loader = importlib.machinery.SourceFileLoader("build_memory", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("build_memory", loader))
    loader.exec_module(module)
    return module


def read(*path: object) -> str:
    with open(os.path.join(*map(str, path)), encoding="ascii") as file:
        return file.read()


@pytest.mark.parametrize(("version", "file", "none"), [(1, "memory.limit_in_bytes", "-1"), (2, "memory.max", "max")])
def test_the_common_parent_is_capped(helper, tmp_path, version, file, none):
    if version == 2:
        (tmp_path / "cgroup.controllers").touch()
        (tmp_path / "docker").mkdir()
    found, hierarchy = helper.find_hierarchy(str(tmp_path))
    assert found == version
    parent = helper.make_parent(hierarchy, version)
    assert parent == f"{hierarchy}/docker/buildkit"
    helper.cap(parent, version, 1000)
    assert read(parent, file) == "1000"
    helper.cap(parent, version, 0)
    assert read(parent, file) == none
    if version == 2:
        assert read(tmp_path, "cgroup.subtree_control") == read(tmp_path, "docker/cgroup.subtree_control") == "+memory"


def test_steps_below_systemd_are_capped_as_they_appear(helper, tmp_path, monkeypatch):
    step, other = tmp_path / "system.slice:docker:abc123", tmp_path / "nginx.service"
    for folder in (step, other):
        folder.mkdir()
    looks = iter([([], [], []), ([True], [], [])])
    monkeypatch.setattr(helper.select, "select", lambda *arguments: next(looks))
    helper.watch([str(tmp_path), str(tmp_path / "gone")], 2, 1000)
    assert read(step, "memory.max") == "1000" and not os.listdir(other)


@pytest.mark.parametrize(
    "words",
    [[], ["cgroupfs"], ["cgroupfs", "1 2"], ["x", "1"], ["cgroupfs", "-1"], ["systemd", "1\n"], ["systemd", "1", "2"]],
)
def test_the_helper_takes_nothing_else(helper, monkeypatch, capsys, words):
    monkeypatch.setattr(helper.sys, "argv", ["build-memory", *words])
    monkeypatch.setattr(helper, "cap", lambda *arguments: pytest.fail("it did"))
    assert helper.main() == 2 and "usage" in capsys.readouterr().out
