"""ports:*: what they change in the app's document, and what the route hears of it."""

import json

import pytest

from minipaas_lib import api
from minipaas_lib.deploy import compose


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def mapped(world) -> list[str]:
    rows = json.loads(world.ok("ports:list", "blog", "--format", "json"))
    return [f"{row['scheme']}:{row['host_port']}:{row['container_port']}" for row in rows]


def test_the_default_follows_port_and_is_not_stored(blog):
    assert mapped(blog) == ["http:80:5000"]
    assert "listeners" not in compose.routing(api.app("blog"), "")
    blog.ok("config:set", "blog", "PORT=8000")
    assert mapped(blog) == ["http:80:8000"]
    assert blog.ok("ports:list", "blog").splitlines()[1].split() == ["http", "80", "8000"]


def test_set_add_remove_clear(blog):
    blog.ok("ports:set", "blog", "http:8080:9000", "http:80:5000")
    assert mapped(blog) == ["http:80:5000", "http:8080:9000"]
    assert compose.routing(api.app("blog"), "")["listeners"] == [["http", 80, 5000], ["http", 8080, 9000]]
    blog.ok("ports:add", "blog", "http:81:5000", "http:80:5000")
    assert mapped(blog) == ["http:80:5000", "http:81:5000", "http:8080:9000"]
    blog.ok("ports:remove", "blog", "81", "http:8080:9000")
    assert mapped(blog) == ["http:80:5000"]
    blog.ok("ports:clear", "blog")
    assert "ports" not in api.app("blog").document


def test_add_keeps_the_default_mapping(blog):
    blog.ok("ports:add", "blog", "http:8080:9000")
    assert mapped(blog) == ["http:80:5000", "http:8080:9000"]
    report = json.loads(blog.ok("ports:report", "blog", "--format", "json"))
    assert report == {"ports-map": ["http:80:5000", "http:8080:9000"], "ports-custom": True}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ports:add", "blog", "http:80:9000"), "port 80 of the host is mapped already"),
        (("ports:set", "blog", "http:80:1", "http:80:2"), "port 80 of the host is mapped already"),
        (("ports:set", "blog"), ""),
        (("ports:set", "blog", "80"), "is not a port mapping"),
        (("ports:set", "blog", "http:0:1"), "is not a number from 1 to 65535"),
        (("ports:set", "blog", "http:80:5000\n"), "is not a number"),
        (("ports:set", "blog", "http:22:5000"), "sshd"),
        (("ports:set", "blog", "https:443:5000"), "certificates"),
        (("ports:remove", "blog", "81"), "has no port mapping"),
        (("ports:remove", "blog", "80"), "without any port"),
        (("ports:add", "shop", "http:81:5000"), "there is no app"),
    ],
)
def test_refused(blog, words, said):
    assert said in blog.refused(*words)


def test_a_hand_edited_document_is_answered_with_a_way_out(blog):
    api.edit_app("blog", lambda document: document.update(ports={"map": ["http:80"]}))
    result = blog("ports:list", "blog")
    assert result.status == 78
    assert "ports:clear blog" in result.err
    blog.ok("ports:clear", "blog")
    assert mapped(blog) == ["http:80:5000"]


@pytest.mark.parametrize(
    "command", ["ports:add", "ports:clear", "ports:list", "ports:remove", "ports:report", "ports:set"]
)
def test_help_has_an_example(world, command):
    assert f"e.g.: {command} blog" in world.ok(command, "--help")


def test_a_port_that_the_firewall_closes_is_said(blog, monkeypatch):
    asked = []

    def barriers(ports):
        asked.append(ports)
        return [
            api.kernel.firewall.Barrier(port, True, "", "ufw", f"ufw allow {port}/tcp")
            for port in ports
            if port == 8080
        ]

    monkeypatch.setattr(api.kernel.firewall, "barriers", barriers)
    result = blog("ports:add", "blog", "http:8080:5000")
    assert (
        result.status == 0
        and "lets nobody in on port 8080" in result.err
        and "as root: ufw allow 8080/tcp" in result.err
    )
    assert asked == [[80, 8080]]
    findings = api.call("doctor", app=api.app("blog"))
    assert [f.part for found in findings for f in found if not f.ok] == ["app blog: ports"]


def test_a_port_that_the_first_deploy_could_not_have_is_refused_when_it_is_set(blog, fake, monkeypatch):
    def check(route=None):
        if route and any(listener.host_port == 7777 for listener in route.listeners):
            raise api.errors.BadConfig("port 7777 of this host is used by another program", "map another one")

    monkeypatch.setattr(fake.router, "check", check)
    refused = blog("ports:add", "blog", "http:7777:5000")
    assert refused.status == 78 and "used by another program" in refused.err and mapped(blog) == ["http:80:5000"]
    blog.ok("ports:add", "blog", "http:7778:5000")
    blog.ok("config:set", "blog", "A=1")

    def away(route=None):
        raise api.errors.Unavailable("nginx is not running", "systemctl start nginx")

    monkeypatch.setattr(fake.router, "check", away)
    blog.ok("ports:add", "blog", "http:7779:5000")
