"""Each name that an app owns answers for itself, whatever state the app is in; names of nobody go where they should."""

import socket

import pytest
from conftest import Repo, web


def title(host, name: str, port: int = 80) -> tuple[int, str]:
    status, body = host.get(name, port=port)
    return status, body.partition("<title>")[2].partition("</title>")[0] or body.strip()


@pytest.mark.serial
def test_an_owned_name_from_its_first_moment_to_its_last(host, app, other_app, repo, tmp_path):
    below = f"{app}.names.test"
    host.ssh("apps:create", app)
    host.ssh("domains:add", app, below)
    wild = Repo(host, tmp_path / "wild", other_app, **web("the wildcard"))
    host.ssh("apps:create", other_app)
    host.ssh("domains:add", other_app, "*.names.test")
    assert title(host, below) == (404, "This app is not deployed yet") == title(host, "any.names.test")
    wild.push()
    assert title(host, "any.names.test") == (200, "the wildcard")
    assert title(host, below) == (404, "This app is not deployed yet")
    repo.commit(**web("broken", command="exit 3"))
    assert repo.push(ok=False).returncode != 0
    assert title(host, below) == (404, "This app is not deployed yet")
    repo.commit(**web("mine"))
    repo.push()
    assert title(host, below) == (200, "mine")
    host.ssh("proxy:disable", app)
    assert title(host, below) == (503, "This app is switched off")
    host.ssh("proxy:enable", app)
    assert title(host, below) == (200, "mine")
    host.ssh("ps:stop", app)
    assert title(host, below) == (503, "This app is not running")
    host.ssh("apps:destroy", app, "--force")
    assert title(host, below) == (200, "the wildcard"), "nobody's by now"
    host.ssh("apps:restore", app)
    assert title(host, below) == (503, "This app is not running"), "it was stopped"
    host.ssh("ps:start", app)
    assert title(host, below) == (200, "mine")
    assert title(host, "nobody.elsewhere.test") == (404, "There is no app at this address")


@pytest.mark.serial
def test_names_of_nobody(host, app, repo):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    repo.push()
    host.ssh("ports:add", app, f"http:{port}:5000")
    body = f"hello from {app}"
    assert title(host, "127.0.0.1", port) == (200, body) and title(host, "127.0.0.1")[0] == 404
    host.ssh("domains:set-default", app)
    try:
        assert title(host, "127.0.0.1") == (200, body) == title(host, "nobody.elsewhere.test")
        assert app in host.ssh("domains:report", "--global").stdout
    finally:
        host.ssh("domains:unset-default", app)
    assert title(host, "127.0.0.1") == (404, "There is no app at this address")
