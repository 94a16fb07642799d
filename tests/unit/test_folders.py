"""Folders are removed and walked however deep they are, and no link is followed."""

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import folders

HOUSE = Path(__file__).parents[2]


def nest(top, levels: int, name: str = "d") -> None:
    """`levels` folders in one another, deeper than any path can name."""
    top.mkdir()
    handle = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=handle)
        inner = os.open(name, os.O_RDONLY, dir_fd=handle)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(handle)
        handle = inner
    os.close(handle)


@pytest.mark.parametrize("levels", [1, 1100, 5000])
def test_a_folder_goes_however_deep_it_is(tmp_path, levels):
    nest(tmp_path / "x", levels)
    assert folders.remove(str(tmp_path / "x"))
    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/f").write_text("x")
    (tmp_path / "x/d").mkdir(parents=True)
    (tmp_path / "x/d/l").symlink_to(tmp_path / "kept")
    (tmp_path / "x/m").symlink_to("/")
    (tmp_path / "l").symlink_to("kept")
    assert folders.remove(str(tmp_path / "x")) and folders.remove(str(tmp_path / "l"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"] and (tmp_path / "kept/f").read_text() == "x"


def test_files_nothing_and_what_is_closed_to_us(tmp_path):
    (tmp_path / "f").write_text("x")
    assert folders.remove(str(tmp_path / "f")) and folders.remove(str(tmp_path / "nothing"))
    (tmp_path / "x/a/b/c").mkdir(parents=True)
    os.mkfifo(tmp_path / "x/a/pipe")
    for path in ("x/a/b/c", "x/a/b", "x/a", "x"):
        os.chmod(tmp_path / path, 0)
    assert folders.remove(str(tmp_path / "x")) and list(tmp_path.iterdir()) == []


def test_what_cannot_be_removed_is_told_and_the_rest_goes(tmp_path, monkeypatch):
    (tmp_path / "x/a").mkdir(parents=True)
    for name in ("a/stays", "a/goes", "goes"):
        (tmp_path / "x" / name).write_text("x")
    unlink = os.unlink

    def refuse(name, **more):
        if name == "stays":
            raise PermissionError(1, "immutable")
        unlink(name, **more)

    monkeypatch.setattr(os, "unlink", refuse)
    assert not folders.remove(str(tmp_path / "x"))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["stays"]


trees = st.recursive(
    st.sampled_from(["file", "link"]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def make(path, tree, modes):
    if tree == "file":
        path.write_text("x")
    elif tree == "link":
        path.symlink_to("/etc")
    else:
        path.mkdir()
        for name, inner in tree.items():
            make(path / name, inner, modes)
        path.chmod(modes)


@given(trees, st.sampled_from([0o700, 0o500, 0]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
def test_any_tree_goes(tmp_path, tree, modes):
    make(tmp_path / "x", tree, modes)
    assert folders.remove(str(tmp_path / "x")) and list(tmp_path.iterdir()) == []
    assert stat.S_ISDIR(os.stat("/etc").st_mode)


def test_a_walk_finds_what_os_walk_finds_and_follows_no_link(tmp_path):
    for folder in ("a/b", "a/c", "d"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "f").write_text("x")
    (tmp_path / "d/l").symlink_to(tmp_path / "a")
    found = {place: (set(inner), set(others)) for place, inner, others in folders.walk(str(tmp_path))}
    wanted = {
        place: (set(inner) - {"l"}, set(others) | ({"l"} & set(inner))) for place, inner, others in os.walk(tmp_path)
    }
    assert found == wanted
    assert list(folders.walk(str(tmp_path / "nothing"))) == [(str(tmp_path / "nothing"), [], [])]


def test_nothing_of_ours_removes_trees_by_recursion():
    for part in ("minipaas_lib", "plugins"):
        for path in (HOUSE / part).rglob("*.py"):
            assert path.name == "folders.py" or not re.search(r"\brmtree\b", path.read_text()), path
