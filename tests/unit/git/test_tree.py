"""What may not be in a pushed commit is refused before anything is kept or written."""

import hashlib
import os
import time
import zlib

import pytest

from minipaas_lib import errors, paths
from minipaas_lib.git import git, repository, tree
from minipaas_lib.model.entries import DEPTH_LIMIT, LINK_LIMIT, Limits, link_fault, path_fault
from minipaas_lib.records import apps, limits
from tests.unit.git.test_submodules import write_object


@pytest.fixture(autouse=True)
def blog(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    return repository.create("blog")


def tree_of(folder, *rows):
    """A tree of (mode, name, object or text of a blob)."""
    raw = b""
    for mode, name, content in rows:
        sha = content if mode == "40000" else write_object(folder, "blob", content.encode())
        raw += f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha)
    return write_object(folder, "tree", raw)


def commit_of(folder, sha):
    who = "Anna <anna@example.org> 1700000000 +0000"
    return write_object(folder, "commit", f"tree {sha}\nauthor {who}\ncommitter {who}\n\nx\n".encode())


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (("120000", "x", ""), "link to nowhere"),
        (("120000", "x", "y" * 5000), "path of more than 4,095 bytes"),
        (("100644", "a" * 256, "x"), "name of more than 255 bytes"),
        (("120000", ".gitModules", "x"), "git reads it"),
    ],
)
def test_what_may_not_be_in_a_commit_is_named_and_not_kept(blog, row, why):
    commit = commit_of(blog, tree_of(blog, row))
    with pytest.raises(errors.InvalidFile, match=why):
        repository.keep_commit("blog", commit, 1)
    assert repository.kept_commits("blog") == {}


def test_a_link_that_git_would_not_unpack_is_refused_before_the_build(blog):
    inner = tree_of(blog, ("120000", "x", "y"))
    with pytest.raises(errors.InvalidFile, match="git cannot unpack this commit.*gitmodules/x"):
        repository.keep_commit("blog", commit_of(blog, tree_of(blog, ("40000", ".gitmodules", inner))), 1)
    assert repository.kept_commits("blog") == {}


@pytest.mark.parametrize("target", ["../f", "./l", "/etc/passwd", "../../../x", "a/../../x", "a\nb"])
def test_links_are_let_through_wherever_they_lead(blog, target):
    inner = tree_of(blog, ("120000", "l", target))
    commit = commit_of(blog, tree_of(blog, ("40000", "d", inner), ("100644", "f", "x")))
    repository.keep_commit("blog", commit, 1)
    assert repository.kept_commits("blog") == {1: commit}


@pytest.mark.parametrize("name", ["a\nb", "a\x7fb", "a\x1b[2Jb"])
def test_odd_bytes_in_a_name_are_let_through_and_a_refusal_shows_none(blog, name):
    repository.keep_commit("blog", commit_of(blog, tree_of(blog, ("100644", name, "x"))), 1)
    with pytest.raises(errors.InvalidFile) as caught:
        repository.keep_commit("blog", commit_of(blog, tree_of(blog, ("120000", name, ""))), 2)
    assert caught.value.message.isprintable()


def nested(folder, levels, name="d"):
    """Folders in one another, written as git would (gitformat-loose(5)): a thousand processes would take their time."""
    sha = tree_of(folder, ("100644", "f", "x"))
    for _ in range(levels):
        raw = f"40000 {name}".encode() + b"\0" + bytes.fromhex(sha)
        raw = f"tree {len(raw)}".encode() + b"\0" + raw
        sha = hashlib.sha1(raw).hexdigest()  # git's own
        path = os.path.join(folder, "objects", sha[:2], sha[2:])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(zlib.compress(raw))
    return sha


def test_folders_in_folders_are_refused_from_a_depth_on(blog):
    repository.keep_commit("blog", commit_of(blog, nested(blog, DEPTH_LIMIT - 1)), 1)
    for levels in (DEPTH_LIMIT, 1100):
        with pytest.raises(errors.InvalidFile, match="deeper than 99 folders") as caught:
            repository.keep_commit("blog", commit_of(blog, nested(blog, levels)), 2)
        assert len(caught.value.message) < 500
    with pytest.raises(errors.InvalidFile, match="path of more than 2,048 bytes"):
        repository.keep_commit("blog", commit_of(blog, nested(blog, 20, "d" * 200)), 2)
    assert list(repository.kept_commits("blog")) == [1]


def test_a_submodule_counts_from_the_top_of_the_commit(blog):
    commit = commit_of(blog, nested(blog, DEPTH_LIMIT - 1))
    with pytest.raises(errors.InvalidFile, match="deeper than 99 folders"):
        tree.check(blog, commit, tree.Budget(Limits()), inside="lib")


def test_one_name_that_is_a_link_and_a_folder_is_refused(blog):
    inner = tree_of(blog, ("100644", "passwd", "x"))
    twice = tree_of(blog, ("120000", "etc", "/etc"), ("40000", "etc", inner))
    with pytest.raises(errors.InvalidFile, match="as a link and as a folder"):
        tree.check(blog, commit_of(blog, twice), tree.Budget(Limits()))


def test_links_are_looked_at_without_a_process_for_each(blog, monkeypatch):
    calls = []
    run = git.run
    monkeypatch.setattr(git, "run", lambda *words, **more: calls.append(words) or run(*words, **more))
    commit = commit_of(blog, tree_of(blog, *(("120000", f"l{n:05}", "x") for n in range(200))))
    calls.clear()
    tree.check(blog, commit, tree.Budget(Limits()))
    assert len(calls) == 1


def test_a_tree_that_names_ten_billion_files_is_refused_at_once(blog):
    sha = tree_of(blog, *(("100644", f"f{n}", "x") for n in range(10)))
    for _ in range(9):
        sha = tree_of(blog, *(("40000", f"d{n}", sha) for n in range(10)))
    began = time.monotonic()
    with pytest.raises(errors.InvalidFile, match="more than 100,000 files"):
        repository.keep_commit("blog", commit_of(blog, sha), 1)
    assert time.monotonic() - began < 20


def test_an_admin_sets_how_much_there_may_be(world):
    folder = repository.create("blog")
    commit = commit_of(folder, tree_of(folder, ("100644", "a", "x" * 600), ("100644", "b", "y" * 600)))
    repository.keep_commit("blog", commit, 1)
    world.ok("git:set", "--global", "max-entries", "1")
    with pytest.raises(errors.InvalidFile, match="more than 1 files"):
        repository.keep_commit("blog", commit, 2)
    world.ok("git:set", "--global", "max-entries")
    world.ok("git:set", "--global", "max-size", "1k")
    with pytest.raises(errors.InvalidFile, match="larger than 1,024 bytes"):
        repository.keep_commit("blog", commit, 2)
    assert world.ok("git:report", "--global", "--git-max-size") == "1024\n"
    world.ok("git:set", "--global", "max-size")
    assert limits.limits() == Limits() and "limits" not in apps.platform()


def test_git_itself_refuses_a_push_that_is_too_large(world):
    world.ok("apps:create", "blog")
    repository.create("blog")
    world.ok("git:set", "--global", "max-size", "64k")
    with open(os.path.join(paths.repository("blog"), "config")) as file:
        assert "maxInputSize = 65536\n" in file.read()


@pytest.mark.parametrize(
    "words", [("max-size", "0"), ("max-size", "much"), ("max-entries", "1k"), ("deploy-branch", "x"), ("x",), ()]
)
def test_limits_that_are_refused(world, words):
    world.refused("git:set", "--global", *words)


def test_what_somebody_wrote_by_hand_and_is_no_limit_is_the_default(world):
    apps.edit_platform(lambda document: document.update({"limits": {"entries": -1, "size": "2g"}}))
    assert limits.limits() == Limits()


def test_a_submodule_counts_too(blog):
    budget = tree.Budget(Limits(entries=2, size=100))
    first = commit_of(blog, tree_of(blog, ("100644", "a", "x")))
    tree.check(blog, first, budget)
    tree.check(blog, first, budget, inside="lib")
    with pytest.raises(errors.InvalidFile):
        tree.check(blog, first, budget, inside="again")


def test_a_commit_that_is_not_there(blog):
    with pytest.raises(git.GitFailed):
        tree.check(blog, "1" * 40, tree.Budget(Limits()))


@pytest.mark.parametrize(
    "path", ["a", "a/b", "ünï", "a b", "...", ".github/x", ".gitignore", "a\\b", "-x", "a\nb", "\udce9"]
)
def test_plain_paths(path):
    assert path_fault(path) == ""


@pytest.mark.parametrize(
    "path", ["", "/a", "../a", "a/..", "a//b", "a/./b", ".git/x", "a/.GIT", "a\0b", "a/" * 100 + "b", "é" * 128]
)
def test_paths_that_are_refused(path):
    assert path_fault(path)


def test_how_much_a_link_may_say():
    assert [link_fault("l", size) == "" for size in (0, 1, LINK_LIMIT, LINK_LIMIT + 1)] == [False, True, True, False]
