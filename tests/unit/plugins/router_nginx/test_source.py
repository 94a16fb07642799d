"""The app's own template is taken from the release's commit, only where it is permitted."""

import os
import subprocess

import pytest

from minipaas_lib import api
from minipaas_lib.deploy import compose
from plugins.router_nginx import source


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    folder = api.paths.repository("blog")
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
    return world


def commit(content: bytes, name: str = "nginx.conf.j2") -> str:
    def git(*arguments: str, data: bytes = b"") -> str:
        argv = [
            "git",
            f"--git-dir={api.paths.repository('blog')}",
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            *arguments,
        ]
        return subprocess.run(argv, input=data, capture_output=True, check=True).stdout.decode().strip()

    blob = git("hash-object", "-w", "--stdin", data=content)
    tree = git("mktree", data=f"100644 blob {blob}\t{name}\n".encode())
    return git("commit-tree", tree, "-m", "x")


def test_it_is_read_only_where_it_is_permitted(blog):
    made = commit(b"server {}\n")
    assert "template" not in compose.routing(api.app("blog"), made)
    blog.ok("nginx:set", "blog", "custom-template", "true")
    assert compose.routing(api.app("blog"), made)["template"] == "server {}\n"
    assert compose.routing(api.app("blog"), commit(b"x", "other")).get("template", "") == ""
    assert compose.routing(api.app("blog"), "").get("template", "") == ""


def test_a_hook_of_git_does_not_lead_elsewhere(blog, monkeypatch):
    made = commit(b"server {}\n")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert source.template_of("blog", made) == "server {}\n"


@pytest.mark.parametrize("word", ["", "HEAD", "--help", "v1", "0" * 40, "main;id"])
def test_no_such_commit(blog, word):
    assert source.template_of("blog", word) == ""


def test_too_large_or_not_text(blog):
    with pytest.raises(api.errors.InvalidFile, match="the limit is 65,536"):
        source.template_of("blog", commit(b"a" * 65537))
    with pytest.raises(api.errors.InvalidFile, match="UTF-8"):
        source.template_of("blog", commit(b"\xff\xfe"))
