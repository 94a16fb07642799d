"""python-etcd's known faults, each shown and made good; TLS; gevent."""

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import urllib3

from minipaas_lib import errors
from minipaas_lib.store import etcd_client
from minipaas_lib.store.contract import LockHolder
from minipaas_lib.store.etcd import EtcdStore
from tests.cluster import tls
from tests.cluster.etcd import EtcdCluster

HOUSE = Path(__file__).parents[3]
LAPTOP = LockHolder("git push", "laptop", "2026-01-02T12:01:07Z", "host", 123)
TREE = b'{"action":"get","node":{"key":"/x","value":"v","modifiedIndex":7,"createdIndex":7}}'


class Canned(http.server.BaseHTTPRequestHandler):
    """Answers as `server.answers` says, by verb, and counts."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(self.command)
        status, body = self.server.answers.get(self.command, (None, b""))
        if status is None:  # silence
            threading.Event().wait(self.server.silence)
            return
        self.send_response(status)
        for name, value in (("Content-Length", len(body)), ("X-Etcd-Index", 9), ("X-Etcd-Cluster-Id", "abc")):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_DELETE = _answer

    def log_message(self, *arguments) -> None:
        pass


@pytest.fixture
def canned():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    server.daemon_threads = True
    server.answers, server.asked, server.silence = {}, [], 3.0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


def test_a_write_is_not_sent_again_by_the_library(canned):
    """urllib3's default is three more times, for a PUT too."""
    with pytest.raises(etcd_client.Unanswered):
        etcd_client.Member(canned.url, None).ask("PUT", "/x", 0.5, value="v")
    assert canned.asked == ["PUT"]


def test_responses_without_getheader_are_understood(canned, monkeypatch):
    """As urllib3 2.6.0 has them."""
    for name in ("getheader", "getheaders"):
        monkeypatch.delattr(urllib3.response.BaseHTTPResponse, name, raising=False)
    canned.answers["GET"] = (200, TREE)
    found = etcd_client.Member(canned.url, None).ask("GET", "/x")
    assert (found.value, found.modified_index, found.etcd_index) == ("v", 7, 9)


def test_no_dns_library_is_imported():
    code = "import sys; from minipaas_lib.store import etcd_client; print([m for m in sys.modules if m[:3] == 'dns'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=HOUSE, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{}", b'"x"', b"{", b"\xff\xfe", b'{"node": 5}', b'{"node": {}}', b"[" * 100_000]
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_garbage_is_no_answer(canned, status, body):
    canned.answers = {"GET": (status, body), "PUT": (status, body), "DELETE": (status, body)}
    member = etcd_client.Member(canned.url, None)
    for verb in ("GET", "PUT", "DELETE"):
        if (status, body) == (200, b'{"node": {}}'):
            continue  # etcd's own answer about its root
        with pytest.raises(etcd_client.Unanswered):
            member.ask(verb, "/x", 5.0)


def test_a_redirect_to_elsewhere_is_not_followed(canned):
    canned.answers["GET"] = (307, b"")
    with pytest.raises(etcd_client.Unanswered):
        etcd_client.Member(canned.url, None).ask("GET", "/x")
    assert canned.asked == ["GET"]


def test_an_etcd_without_the_v2_api_is_told(tmp_path):
    said = "it serves no v2 API: start it with --enable-v2"
    with EtcdCluster(tmp_path, size=1, v2=False) as cluster:
        store = EtcdStore(cluster.urls)
        with pytest.raises(errors.Unavailable, match=said):
            store.list()
        (state,) = store.cluster.states()
    assert (bool(state.version), state.serves, state.reason) == (True, False, said)


# TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    for ca in ("ca", "stranger"):
        tls.authority(folder, ca)
    tls.server(folder, "ca", "server", "127.0.0.1")
    tls.server(folder, "ca", "elsewhere", "127.0.0.9")
    tls.client(folder, "ca", "client")
    tls.client(folder, "stranger", "intruder")
    return lambda name: str(folder / name)


def tls_of(at, server: str = "server") -> dict[str, str]:
    own = {"server_cert": at(f"{server}.pem"), "server_key": at(f"{server}.key")}
    return {"ca": at("ca.pem"), "cert": at("client.pem"), "key": at("client.key"), **own}


@pytest.fixture(scope="module")
def secure(certificates, tmp_path_factory):
    with EtcdCluster(tmp_path_factory.mktemp("secure"), size=1, tls=tls_of(certificates)) as cluster:
        yield cluster


def test_a_store_over_tls_with_client_certificates(secure, certificates):
    store = EtcdStore(secure.urls, certificates("ca.pem"), certificates("client.pem"), certificates("client.key"))
    store.write("apps/blog/app.toml", "ü")
    assert store.read("apps/blog/app.toml").text == "ü"
    token = store.watch("apps")
    assert store.watch("apps", token, timeout=0.5) is None
    with store.lock("apps/blog", LAPTOP) as lock:
        lock.check()


@pytest.mark.parametrize(
    ("ca", "client", "said"),
    [
        ("", "client", "TLS: certificate verify failed"),
        ("", "", "TLS: certificate verify failed"),
        ("stranger", "client", "TLS: "),
        ("ca", "", "TLS: "),
        ("ca", "intruder", "TLS: "),
    ],
)
def test_who_cannot_show_who_they_are_is_refused(secure, certificates, ca, client, said):
    files = (
        certificates(f"{ca}.pem") if ca else "",
        *(certificates(f"{client}{end}") for end in (".pem", ".key") if client),
    )
    with pytest.raises(errors.Unavailable) as caught:
        EtcdStore(secure.urls, *files).list()
    assert said in caught.value.message, caught.value.message
    assert caught.value.message.isprintable()


def test_a_certificate_for_another_address_is_refused(certificates, tmp_path):
    cluster = EtcdCluster(tmp_path, size=1, tls=tls_of(certificates, "elsewhere"))
    cluster.members[0].start()
    try:
        store = EtcdStore(cluster.urls, certificates("ca.pem"), certificates("client.pem"), certificates("client.key"))
        said = ""
        for _ in range(50):
            with pytest.raises(errors.Unavailable) as caught:
                store.list()
            said = caught.value.message
            if "refused" not in said:
                break
        assert "IP address mismatch" in said, said
    finally:
        cluster.members[0].kill()


@pytest.mark.parametrize("wrong", ["ca", "cert", "key"])
def test_a_certificate_file_that_cannot_be_used_is_named(secure, certificates, tmp_path, wrong):
    (tmp_path / "wrong").write_text("nonsense")
    for bad in (str(tmp_path / "wrong"), str(tmp_path / "missing")):
        files = {
            "ca": certificates("ca.pem"),
            "cert": certificates("client.pem"),
            "key": certificates("client.key"),
            wrong: bad,
        }
        with pytest.raises(errors.BadConfig) as caught:
            EtcdStore(secure.urls, **files).list()
        assert bad in caught.value.message


# gevent


GREENLETS = """
import sys, time
from gevent import monkey
monkey.patch_all()
import gevent
from minipaas_lib.store.etcd import EtcdStore
from minipaas_lib.store.contract import LockHolder
from minipaas_lib import errors
urls, *files = sys.argv[1:]
store = EtcdStore(tuple(urls.split(",")), *files)
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic())
        gevent.sleep(0.05)
ticking = gevent.spawn(tick)
store.write("apps/a/app.toml", "1")
token = store.watch("apps")
assert store.watch("apps", token, timeout=1.0) is None
writer = gevent.spawn_later(0.5, lambda: EtcdStore(tuple(urls.split(",")), *files).write("apps/b/app.toml", "1"))
assert store.watch("apps", token, timeout=30) not in (None, token)
with store.lock("x", LockHolder.here("x", "y"), ttl=1) as lock:
    gevent.sleep(2.5)
    lock.check()
    try:
        store.lock("x", LockHolder.here("x", "y"), wait=1)
    except errors.Locked:
        pass
    else:
        raise AssertionError("two hold one lock")
gaps = [b - a for a, b in zip(ticks, ticks[1:])]
assert len(ticks) > 30 and max(gaps) < 1.5, max(gaps)  # nothing ever stopped all greenlets
print("fine")
"""


@pytest.mark.parametrize("over", ["http", "tls"])
def test_the_store_works_under_gevent(cluster, secure, certificates, over):
    files = [certificates("ca.pem"), certificates("client.pem"), certificates("client.key")] if over == "tls" else []
    urls = secure.urls if over == "tls" else cluster.urls
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS, ",".join(urls), *files],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(HOUSE)},
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")


@pytest.mark.parametrize(
    "error", [TimeoutError("timed out"), urllib3.exceptions.SSLError("The read operation timed out")]
)
def test_a_timeout_as_gevent_gives_it_is_silence_to_a_watch(canned, monkeypatch, error):
    """It comes from the socket as it is, where python-etcd knows urllib3's ReadTimeoutError alone."""
    member = etcd_client.Member(canned.url, None)

    def request(*arguments, **more):
        raise error

    monkeypatch.setattr(member.http, "request", request)
    assert member.first_event("/x", 1, 0.2) is None
    with pytest.raises(etcd_client.Unanswered, match="timed out"):
        member.ask("GET", "/x")
