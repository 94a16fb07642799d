"""Submodules with real git. The allowed protocols never include local files, so the tests put theirs in the cache."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors, paths
from minipaas_lib.git import git, remotes, repository, submodules


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    repository.create("blog")


def write_object(folder, kind, raw):
    command = ["git", f"--git-dir={folder}", "hash-object", "-w", "-t", kind, "--literally", "--stdin"]
    return subprocess.run(command, input=raw, capture_output=True, check=True).stdout.decode().strip()


def commit(folder, files, modules=()):
    """A commit in a bare repository with files (name -> text) and submodules (path, url, commit) at its top."""
    rows = [("100644", name, write_object(folder, "blob", text.encode())) for name, text in files.items()]
    if modules:
        text = "".join(f'[submodule "{p}"]\npath = {p}\nurl = {u}\n' for p, u, _ in modules if u)
        rows.append(("100644", ".gitmodules", write_object(folder, "blob", text.encode())))
        rows += [("160000", path, sha) for path, _, sha in modules]
    raw = b"".join(
        f"{mode} {name}".encode() + b"\0" + bytes.fromhex(sha) for mode, name, sha in sorted(rows, key=lambda r: r[1])
    )
    who = "Anna <anna@example.org> 1700000000 +0000"
    tree = write_object(folder, "tree", raw)
    return write_object(folder, "commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nx\n".encode())


def cached(url):
    """The folder of the cached clone of `url`, made now if it is not there."""
    module = submodules.Submodule("x", url, "0" * 40)
    try:
        submodules.fetch(module, os.path.join(paths.repository("blog"), "modules"), remotes.environment("blog"))
    except errors.InvalidFile:
        pass
    name = submodules.hashlib.sha256(url.encode()).hexdigest()[:32] + ".git"
    return os.path.join(paths.repository("blog"), "modules", name)


@pytest.fixture
def offline(monkeypatch):
    def fail(clone, url, arguments, env):
        raise git.GitFailed(f"unable to access '{url}/': no network in unit tests")

    monkeypatch.setattr(submodules, "_fetch", fail)


def test_submodules_of_submodules_are_unpacked_at_their_pinned_commits(tmp_path, offline):
    inner = commit(cached("https://example.org/inner.git"), {"inner.txt": "deep"})
    outer = commit(
        cached("https://example.org/outer.git"), {"outer.txt": "o"}, [("in", "https://example.org/inner.git", inner)]
    )
    top = commit(
        paths.repository("blog"), {"page": "x", "lib.index": "mine"}, [("lib", "https://example.org/outer.git", outer)]
    )
    target = tmp_path / "context"
    repository.checkout("blog", top, str(target))
    assert (target / "lib" / "in" / "inner.txt").read_text() == "deep"
    assert (target / "lib" / "outer.txt").read_text() == "o"
    assert (target / "lib.index").read_text() == "mine"
    assert not any(name == ".git" for _, folders, files in os.walk(target) for name in folders + files)


def test_a_submodule_that_includes_itself_ends(tmp_path, offline):
    url = "https://example.org/loop.git"
    inner = commit(cached(url), {"x": "x"})
    for _ in range(submodules.DEPTH_LIMIT + 1):
        inner = commit(cached(url), {}, [("in", url, inner)])
    with pytest.raises(errors.InvalidFile, match="nested deeper than 5"):
        repository.checkout("blog", inner_to_top(inner, url), str(tmp_path / "context"))


def inner_to_top(inner, url):
    return commit(paths.repository("blog"), {}, [("lib", url, inner)])


def test_a_failed_fetch_names_the_submodule_and_hides_the_password(tmp_path, offline):
    top = commit(paths.repository("blog"), {}, [("lib", "https://anna:s3cret@example.org/x.git", "1" * 40)])
    with pytest.raises(errors.InvalidFile) as caught:
        repository.checkout("blog", top, str(tmp_path / "context"))
    assert '"lib" cannot be fetched from "https://***@example.org/x.git"' in caught.value.message
    assert "s3cret" not in caught.value.message + caught.value.hint


def test_a_submodule_without_url_stays_empty_with_a_word(tmp_path, capsys):
    top = commit(paths.repository("blog"), {"page": "x"}, [("lib", "", "1" * 40)])
    repository.checkout("blog", top, str(tmp_path / "context"))
    assert os.listdir(tmp_path / "context" / "lib") == []
    assert 'the folder "lib" stays empty' in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc",
        "/etc",
        "../sibling.git",
        "./x",
        "ext::sh -c id",
        "-oProxyCommand=id",
        "ssh://-oProxyCommand=id/x",
        "https://a b",
        "fd::17",
        "host:-x",
        "-u@host:x",
        "https://",
        "ftp://example.org/x",
        "http://x\n",
        "::x",
        "a::b",
    ],
)
def test_urls_that_are_refused_before_anything_is_run(url):
    with pytest.raises(errors.InvalidFile):
        submodules.check_url("lib", url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x.git",
        "http://[::1]:80/x",
        "git://example.org/x",
        "ssh://git@example.org:22/x",
        "git@github.com:anna/x.git",
        "github.com:anna/x.git",
        "git@host:/srv/x.git",
    ],
)
def test_urls_that_are_fetched(url):
    assert submodules.check_url("lib", url) == url


def test_git_itself_fetches_no_local_file_and_runs_no_command(tmp_path):
    clone = cached_without_fetch(tmp_path)
    for url in (f"file://{paths.repository('blog')}", paths.repository("blog"), f"ext::touch {tmp_path}/run"):
        with pytest.raises(git.GitFailed, match="not allowed"):
            submodules._fetch(clone, url, ["refs/heads/main"], remotes.environment("blog"))
    assert not (tmp_path / "run").exists()


def cached_without_fetch(tmp_path):
    clone = str(tmp_path / "clone.git")
    git.run(["init", "--quiet", "--bare", clone])
    return clone


@given(st.text())
def test_check_url_answers_anything_and_lets_nothing_strange_through(url):
    try:
        found = submodules.check_url("lib", url)
    except errors.InvalidFile:
        return
    assert not found.startswith("-") and "::" not in found.split("/")[0] and not any(ord(c) < 33 for c in found)
