"""Where git, archives and builds may be sent by a key or a push, and what of that is looked at again."""

import http.server
import ipaddress
import os
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import caller, cluster_settings, errors
from minipaas_lib.git import destinations, git, remotes

OWN = [
    "localhost",
    "LOCALHOST.",
    "x.localhost",
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "::1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "0",
    "169.254.169.254",
    "64:ff9b::7f00:1",
]


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    (tmp_path / "root").mkdir()


@pytest.mark.parametrize("host", OWN)
def test_hosts_that_only_root_may_name(host):
    with pytest.raises(destinations.Refused, match="minipaas does not fetch from there"):
        destinations.resolve(host, 80)
    with pytest.raises(destinations.Refused):
        destinations.resolve(host, 80, proxied=True)
    if host not in ("x.localhost", "LOCALHOST."):
        assert destinations.resolve(host, 80, trusted=True)


def test_a_proxy_looks_names_up_itself():
    assert destinations.resolve("no-such-host.invalid", 80, proxied=True) == []
    with pytest.raises(errors.Unavailable, match="cannot be found"):
        destinations.resolve("no-such-host.invalid", 80)


@given(st.text(max_size=30), st.integers(0, 70000))
def test_any_host_is_answered(host, port):
    try:
        addresses = destinations.resolve(host, port, proxied=True)
    except errors.MinipaasError as error:
        assert error.message.isprintable()
    else:
        assert addresses == [str(ipaddress.ip_address(address)) for address in addresses]


def test_the_inner_ports_of_a_cluster_are_asked_for_nobody():
    assert destinations.resolve("10.0.0.1", 2379) == ["10.0.0.1"], "no cluster, no ports of one"
    cluster_settings.assume(cluster_settings.ClusterSettings(("http://10.0.0.1:12379",), fleet="http://10.0.0.1:50000"))
    try:
        for port in (2379, 4001, 7391, 12379, 49153, 50000):
            with pytest.raises(destinations.Refused, match="that the cluster uses internally"):
                destinations.resolve("10.0.0.1", port)
        assert destinations.resolve("10.0.0.1", 5000) == ["10.0.0.1"] and destinations.resolve(
            "10.0.0.1", 2379, trusted=True
        )
    finally:
        cluster_settings.assume(None)


class Moved(http.server.BaseHTTPRequestHandler):
    """Redirects below /to/<place>; notes what it was asked."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        place = self.path.partition("/to/")[2]
        self.send_response(302 if place else 404)
        if place:
            self.send_header("Location", place if "://" in place else "/" + place)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Moved) as served:
        served.asked = []
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def foreign(monkeypatch):
    """Names that lead to 127.0.0.1 and count as somebody else's."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: real("127.0.0.1" if host.endswith(".test") else host, *rest, **more),
    )
    monkeypatch.setattr(
        destinations,
        "refused",
        lambda address, before=destinations.refused: (
            False if before(address) and address == "127.0.0.1" else before(address)
        ),
    )


def test_git_goes_to_the_address_that_was_looked_at_and_after_no_redirect_by_itself(server, foreign, tmp_path):
    folder = str(tmp_path / "x.git")
    git.run(["init", "--quiet", "--bare", folder])
    base = f"http://git.test:{server.server_port}"
    with pytest.raises(git.GitFailed, match="not found"):
        remotes.fetch(folder, f"{base}/to/here.git", ["HEAD"], remotes.environment("blog"))
    assert [path.partition("?")[0] for path in server.asked] == ["/to/here.git/info/refs"] * 2 + ["/here.git/info/refs"]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("to/http://localhost/x", "is an address of this host itself"),
        ("to/http://169.254.169.254/x", "169.254.169.254"),
        ("to/ftp://git.test/x", "is not a repository"),
        ("to/http://u:p@git.test/x", "is not a repository"),
        ("to/to/to/to/to/to/to/x", "more than 5 times"),
        ("to/file:///x", "is not a repository"),
    ],
)
def test_a_redirect_is_looked_at_like_the_first_address(server, foreign, tmp_path, place, said):
    folder = str(tmp_path / "x.git")
    git.run(["init", "--quiet", "--bare", folder])
    with pytest.raises(errors.MinipaasError, match=said):
        remotes.fetch(folder, f"http://git.test:{server.server_port}/{place}", ["HEAD"], remotes.environment("blog"))
    assert len(server.asked) <= 14


def test_a_pushed_file_may_name_this_host_for_nobody(monkeypatch, tmp_path, server):
    from minipaas_lib.git import submodules

    monkeypatch.setattr(caller, "key", lambda: "root")
    folder = str(tmp_path / "modules")
    for url in (
        f"http://127.0.0.1:{server.server_port}/x.git",
        "git://localhost/x",
        "ssh://git@[::1]/x",
        "git@127.0.0.1:x",
    ):
        with pytest.raises(errors.InvalidFile, match="minipaas does not fetch from there") as caught:
            submodules.fetch(submodules.Submodule("lib", url, "1" * 40), folder, remotes.environment("blog"))
        assert '"lib"' in caught.value.message and ".gitmodules" in caught.value.hint
    assert server.asked == [] and destinations.by_root()
