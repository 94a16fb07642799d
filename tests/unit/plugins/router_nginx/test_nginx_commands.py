"""nginx:*: what they change and show, where nginx itself is not needed."""

import json
import os
import subprocess
import sys

import pytest

from minipaas_lib import api
from minipaas_lib.deploy import compose
from plugins.router_nginx import hooks, host, router


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def test_set_and_clear(blog):
    before = api.app("blog").document
    blog.ok("nginx:set", "blog", "client-max-body-size", "100M")
    blog.ok("nginx:set", "blog", "gzip", "false")
    assert api.app("blog").table("nginx") == {"client-max-body-size": "100m", "gzip": "off"}
    assert compose.routing(api.app("blog"), "")["settings"] == {"client-max-body-size": "100m", "gzip": "off"}
    blog.ok("nginx:set", "blog", "gzip")
    blog.ok("nginx:set", "blog", "client-max-body-size", "")
    assert api.app("blog").document == before


def test_what_is_set_is_said_once(blog, fake):
    assert blog("nginx:set", "blog", "gzip", "off").err.count("gzip") == 1
    fake.deploy("blog")
    said = blog("nginx:set", "blog", "gzip")
    assert said.err.count("gzip") == 1 and "nginx:set: gzip is on, the default" in said.err


@pytest.fixture
def nginx(blog, monkeypatch):
    """What an nginx that takes everything, or refuses it, was last told to follow."""
    told = []
    monkeypatch.setattr(
        router.NginxRouter, "follow_platform", lambda self, platform: told.append(dict(platform.get("nginx", {})))
    )
    return told


def test_what_all_apps_share_is_set_for_all(blog, nginx):
    blog.ok("nginx:set", "--global", "underscores-in-headers", "yes")
    blog.ok("nginx:set", "--global", "large-client-header-buffers", "8", "32K")
    assert (
        api.kernel.platform()["nginx"]
        == nginx[-1]
        == {"underscores-in-headers": "on", "large-client-header-buffers": "8 32k"}
    )
    report = json.loads(blog.ok("nginx:report", "--global", "--format", "json"))["--global"]
    assert report["nginx-large-client-header-buffers"] == "8 32k" and report["nginx-client-header-timeout"] == "20s"
    blog.ok("nginx:set", "--global", "underscores-in-headers")
    blog.ok("nginx:set", "--global", "large-client-header-buffers")
    assert "nginx" not in api.kernel.platform() and nginx[-1] == {}


def test_what_nginx_does_not_take_is_not_kept(blog, nginx, monkeypatch):
    blog.ok("nginx:set", "--global", "client-header-timeout", "30s")

    def refuse(self, platform):
        raise api.errors.Unavailable("nginx did not take it")

    monkeypatch.setattr(router.NginxRouter, "follow_platform", refuse)
    assert "did not take it" in blog.refused("nginx:set", "--global", "client-header-timeout", "40s")
    assert api.kernel.platform()["nginx"] == {"client-header-timeout": "30s"}


def test_what_nginx_reads_before_it_knows_the_app_is_refused_for_one(blog):
    said = blog.refused("nginx:set", "blog", "client-header-timeout", "5s")
    assert "before it knows which app" in said and "nginx:set --global client-header-timeout 5s" in said
    said = blog.refused("nginx:set", "--global", "gzip", "off")
    assert "is a property of each app" in said and "nginx:set <app> gzip off" in said
    api.edit_app("blog", lambda document: document.update(nginx={"client-header-timeout": "5s"}))
    assert compose.routing(api.app("blog"), "")["settings"] == {}
    assert "client-header-timeout" not in blog.ok("nginx:report", "blog")
    blog.ok("nginx:set", "blog", "client-header-timeout")
    assert "nginx" not in api.app("blog").document


def test_report(blog):
    blog.ok("nginx:set", "blog", "gzip", "off")
    report = json.loads(blog.ok("nginx:report", "blog", "--format", "json"))
    assert report["nginx-gzip"] == "off"
    assert report["nginx-client-max-body-size"] == "10m"
    assert report["nginx-access-log-path"] == "/var/log/nginx/blog-access.log"
    assert blog.ok("nginx:report", "blog", "--nginx-gzip") == "off\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nginx:set", "blog", "nope", "1"), "there is no nginx property"),
        (("nginx:set", "blog", "access-log-path", "/etc/x"), "there is no nginx property"),
        (("nginx:set", "blog", "client-max-body-size", "1m; root /"), "is not a value of client-max-body-size"),
        (("nginx:set", "blog", "gzip", "on\n"), "is not a value of gzip"),
        (("nginx:set", "shop", "gzip", "on"), "there is no app"),
        (("nginx:set", "../x", "gzip", "on"), "no app is named"),
        (("nginx:show-config", "blog"), "blog has no route"),
        (("nginx:show-config", "shop"), "there is no app"),
        (("nginx:access-logs", "shop"), "there is no app"),
        (("nginx:access-logs", "blog"), "there is no access log of blog"),
        (("nginx:error-logs", "-n", "x", "blog"), "is not a valid int"),
        (("nginx:validate-config", "shop"), "there is no app"),
    ],
)
def test_refused(blog, monkeypatch, words, said):
    here = host.this_host()
    monkeypatch.setattr(host, "this_host", lambda: here._replace(place=here.place._replace(logs=blog.root)))
    assert said in blog.refused(*words)


def test_logs_are_shown_and_what_a_visitor_wrote_steers_no_terminal(blog, monkeypatch):
    here = host.this_host()
    monkeypatch.setattr(host, "this_host", lambda: here._replace(place=here.place._replace(logs=blog.root)))
    path = os.path.join(blog.root, "blog-error.log")
    with open(path, "w", encoding="utf-8") as file:
        file.write("first\nreferrer: \x1b]0;owned\x07\x9b\u061c\nlast, not ended")
    assert (
        blog.ok("nginx:error-logs", "blog")
        == r"""first
referrer: \x1b]0;owned\x07\x9b\u061c
last, not ended
"""
    )
    assert blog.ok("nginx:error-logs", "-n", "1", "blog") == "last, not ended\n"


def test_a_log_that_is_followed_ends_with_its_reader(blog, tmp_path):
    path = tmp_path / "blog-error.log"
    path.write_text("first\n")
    program = f"import sys; from plugins.router_nginx import logs; logs.show({str(path)!r}, 5, True)"
    follower = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert follower.stdout.readline() == "first\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write("sec\x1b[2Jond\n")
    assert follower.stdout.readline() == "sec\\x1b[2Jond\n"
    follower.stdout.close()
    assert follower.wait(30) == 0


def test_installed_writes_main_conf_once(world):
    folder = os.path.join(world.root, "nginx")
    hooks.installed()
    first = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(folder) if entry.name.endswith(".conf")}
    assert sorted(first) == ["headers-trusted.conf", "headers.conf", "main.conf", "server.conf"]
    hooks.installed()
    assert {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(folder) if entry.name in first} == first


def test_installed_takes_up_what_the_platform_says(world, monkeypatch):
    monkeypatch.setattr(host, "pid", lambda here: 0)
    hooks.installed()
    api.kernel.edit_platform(lambda document: document.update(nginx={"client-header-timeout": "7s"}))
    hooks.installed()
    with open(os.path.join(world.root, "nginx", "server.conf"), encoding="utf-8") as file:
        assert "client_header_timeout 7s;" in file.read()
    assert router.files.read_everywhere(host.this_host()) == {"client-header-timeout": "7s"}


@pytest.mark.parametrize(
    "command", ["access-logs", "error-logs", "reload", "report", "set", "show-config", "validate-config"]
)
def test_help_has_an_example(world, command):
    assert f"e.g.: nginx:{command}" in world.ok(f"nginx:{command}", "--help")
