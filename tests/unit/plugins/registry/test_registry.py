"""registry:* without docker: what is set, what is kept where, and what is refused."""

import contextlib
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from plugins.registry import credentials, hooks, settings


@pytest.fixture
def blog(world):
    world.ok("apps:create", "blog")
    return world


def report(world, app="blog"):
    return json.loads(world.ok("registry:report", app, "--format", "json"))


def test_set_for_an_app_over_all_apps(blog):
    assert report(blog)["registry-image-repo"] == "minipaas/blog" and report(blog)["registry-push-on-release"] is False
    blog.ok("registry:set", "--global", "server", "ghcr.io")
    blog.ok("registry:set", "--global", "push-on-release", "true")
    blog.ok("registry:set", "blog", "image-repo", "anna/blog")
    assert settings.target(settings.of(api.app("blog"), api.kernel.platform()), 3) == "ghcr.io/anna/blog:v3"
    blog.ok("registry:set", "blog", "server", "localhost:5000")
    blog.ok("registry:set", "blog", "push-on-release", "false")
    assert report(blog)["registry-server"] == "localhost:5000" and report(blog)["registry-push-on-release"] is False
    for key in ("server", "push-on-release", "image-repo"):
        blog.ok("registry:set", "blog", key)
    for key in ("server", "push-on-release"):
        blog.ok("registry:set", "--global", key)
    assert "registry" not in api.app("blog").document and "registry" not in api.kernel.platform()


@pytest.mark.parametrize(
    "words",
    [
        ("blog", "server", "-x"),
        ("blog", "server", "https://x"),
        ("blog", "server", "a/b"),
        ("blog", "image-repo", "A"),
        ("blog", "image-repo", "x:1"),
        ("blog", "push-on-release", "yes"),
        ("blog", "push-on-release", "true"),
        ("--global", "push-on-release", "true"),
        ("blog", "server", "ghcr"),
        ("blog", "server", "h:99999"),
        ("blog", "server", "a..b"),
        ("blog", "x", "y"),
        ("--global", "image-repo", "x"),
        ("blog",),
        (),
        ("none", "server", "x"),
    ],
)
def test_refused(blog, words):
    blog.refused("registry:set", *words)


@pytest.mark.parametrize(
    "words",
    [
        ("ghcr.io",),
        ("--global", "blog", "ghcr.io", "anna", "pw"),
        ("ghcr.io", "-anna", "pw"),
        ("--password-stdin", "ghcr.io", "anna"),
        ("a b", "anna", "pw"),
        ("none", "ghcr.io", "anna", "pw"),
        ("ghcr.io", "", "pw"),
        ("ghcr.io", "anna", ""),
    ],
)
def test_logins_that_are_refused_before_docker_is_asked(blog, words):
    blog.refused("registry:login", *words)


def fake_docker(monkeypatch, asked):
    """docker login as it leaves its file, and docker push that is told of."""

    def run(place, *words, input=b""):
        asked.append((place, words, input))
        if words[0] == "login":
            auths = credentials._read(place).get("auths", {}) | {words[-1]: {"auth": "x"}}
            path = os.path.join(place, "config.json")
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump({"auths": auths}, file)
        return (1, "denied: no\x1b[2J") if words[0] == "push" else (0, "")

    monkeypatch.setattr(credentials, "_docker", run)


def test_an_app_uses_its_own_credentials_over_those_of_all_apps(blog, monkeypatch):
    asked: list = []
    fake_docker(monkeypatch, asked)
    assert hooks.docker_config(api.app("blog")) is None
    blog.ok("registry:login", "--global", "--password-stdin", "one.test", "anna", stdin="s3cret\n")
    assert hooks.docker_config(api.app("blog")) == credentials.folder()
    blog.ok("registry:login", "blog", "two.test", "anna", "s3cret")
    assert all(b"s3cret" == given and "s3cret" not in " ".join(words) for _, words, given in asked)
    place = hooks.docker_config(api.app("blog"))
    assert sorted(credentials._read(place)["auths"]) == ["one.test", "two.test"]
    assert stat.S_IMODE(os.stat(os.path.join(place, "config.json")).st_mode) == 0o600
    assert report(blog)["registry-logins"] == ["two.test"] and report(blog)["registry-global-logins"] == ["one.test"]
    assert not any("s3cret" in text for text in blog.documents().values())
    blog.refused("registry:logout", "blog", "one.test")
    credentials.rename("blog", "shop")
    assert credentials.servers("shop") == ["two.test"] and credentials.servers("blog") == []
    hooks.app_destroyed(api.App("shop", {}))
    assert credentials.servers("shop") == [] and credentials.servers() == ["one.test"]


def test_a_release_whose_image_cannot_be_sent_is_none(blog, fake, monkeypatch):
    asked: list = []
    fake_docker(monkeypatch, asked)
    fake.deploy("blog")
    blog.ok("registry:set", "blog", "server", "ghcr.io")
    blog.ok("registry:set", "blog", "push-on-release", "true")
    result = blog("config:set", "blog", "A=1")
    assert result.status == 1 and "cannot be pushed to ghcr.io/minipaas/blog:v2: denied: no\\x1b" in result.err
    assert [words[0] for _, words, _ in asked] == ["tag", "push", "image"]
    assert api.live_release("blog").number == 1 and api.app("blog").config == {}


@given(st.text(max_size=60))
def test_what_is_let_through_is_no_option_and_no_path_out(text):
    for check in (settings.server, lambda t: settings.parse("image-repo", t)):
        try:
            found = check(text)
        except errors.UsageError:
            continue
        assert found[0].isalnum() and ".." not in found.split("/") and not set(found) & set(" \n@\\")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('Error response from daemon: Get "https://one.test/v2/": dial tcp: lookup one.test: no such host', "DNS"),
        (
            'Get "https://one.test/v2/": x509: certificate signed by unknown authority',
            "/etc/docker/certs.d/one.test/ca.crt",
        ),
        (
            'Get "https://one.test/v2/": dial tcp 192.0.2.1:443: connect: connection refused',
            "nothing answers at one.test",
        ),
        (
            'Error response from daemon: Get "https://one.test/v2/": unauthorized: incorrect username or password',
            "check the user and the password",
        ),
    ],
)
def test_a_login_that_fails_says_what_to_look_at(blog, monkeypatch, said, hint):
    monkeypatch.setattr(credentials, "_docker", lambda place, *words, input=b"": (1, said))
    refused = blog("registry:login", "blog", "one.test", "anna", "s3cret").err
    assert hint in refused and ("the user and the password" in refused) == ("unauthorized" in said)


DOCKERS = (
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-*)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-*)[a-z0-9]+)*)*"
    r":[\w][\w.-]{0,127}"
)


@given(st.text("aB.:-_/09", max_size=20), st.text("a.:-_/09", max_size=20))
def test_what_is_let_through_is_a_name_that_docker_reads_as_meant(server, path):
    import re

    chosen = {"server": "", "image-repo": "anna/blog", "push-on-release": True}
    for key, text in (("server", server), ("image-repo", path)):
        with contextlib.suppress(errors.UsageError):
            chosen[key] = settings.parse(key, text)
    name = settings.target(chosen, 1)
    assert re.fullmatch(DOCKERS, name), name
    if chosen["server"]:
        assert set(chosen["server"]) & set(".:") or chosen["server"] == "localhost"
