"""report, url, urls, plugin:list, version, install:finish."""

import json

import pytest

from minipaas_lib import __version__
from minipaas_lib.bus import index


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    world.ok("domains:add-global", "example.org")
    fake.deploy("blog")
    return world


def test_report(blog):
    report = json.loads(blog.ok("report", "blog", "--format", "json"))
    assert report["live"] == "v1" and report["running"] == "true" and report["git-deploy-branch"] == "main or master"
    assert report["urls"] == ["http://blog.example.org"]
    assert blog.ok("report", "blog", "--live") == "v1\n"
    assert "blog report" in blog.ok("report")
    blog.refused("report", "blog", "--nothing")
    blog.refused("report", "blog", "zoo")


def test_a_broken_app_stops_no_other(blog):
    blog.ok("apps:create", "broken")
    with open(f"{blog.root}/state/apps/broken/app.toml", "w") as file:
        file.write("= oops\n")
    result = blog("report")
    assert result.status == 1 and "blog report" in result.out and "line 1" in result.err


def test_urls(blog):
    blog.ok("domains:add", "blog", "www.example.net", "*.example.net")
    assert set(blog.ok("urls", "blog").split()) == {"http://blog.example.org", "http://www.example.net"}
    assert json.loads(blog.ok("urls", "blog", "--format", "json"))
    assert blog.ok("url", "blog").startswith("http://")
    blog.ok("apps:create", "fresh")
    assert "never been deployed" in blog.refused("url", "fresh")


def test_plugin_list(world):
    rows = json.loads(world.ok("plugin:list", "--format", "json"))
    assert {
        "name": "version",
        "version": __version__,
        "state": "built in",
        "summary": index.load().plugins["version"]["summary"],
    } in rows
    assert len(rows) == len(index.load().plugins)
    assert world.ok("plugin:list").splitlines()[0].split() == ["NAME", "VERSION", "STATE", "SUMMARY"]


def test_version(world):
    assert world.ok("version") == f"minipaas {__version__}\n" == world.ok("--version")


def test_install_finish(world, monkeypatch):
    called = []
    monkeypatch.setattr("minipaas_lib.api.call_one", lambda hook, plugin: called.append((hook, plugin)), raising=False)
    world.ok("install:finish")
    assert called == [("installed", plugin) for plugin in index.load().hooks["installed"]]
