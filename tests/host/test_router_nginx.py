"""The nginx router against a real nginx of its own: own configuration, own ports, own folder. Needs root and nginx."""

import contextlib
import dataclasses
import http.client
import http.server
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from minipaas_lib import api
from minipaas_lib.toolkit import durable_file
from plugins.router_nginx import files
from plugins.router_nginx import host as nginx_host
from plugins.router_nginx.host import Host
from plugins.router_nginx.render import Place
from plugins.router_nginx.router import NginxRouter

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists("/usr/sbin/nginx"), reason="needs root and nginx"),
]

CONF = """
user www-data;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/logs/error.log;
worker_shutdown_timeout 1h;
events {{
    worker_connections 8192;
}}
worker_rlimit_nofile 20000;
http {{
    access_log {folder}/logs/access.log;
    gzip on;
    include mime.types;
    include {folder}/etc/conf.d/*.conf;
    include {folder}/etc/sites-enabled/*;
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class App(http.server.BaseHTTPRequestHandler):
    """A small app: says which one it is, streams, fails, and shows the headers it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("X-Accel-Buffering", "no")
            self.send_header("Connection", "close")
            self.end_headers()
            with contextlib.suppress(OSError):
                for number in range(40):
                    self.wfile.write(b"%d\n" % number)
                    self.wfile.flush()
                    time.sleep(0.1)
            return
        if self.path == "/ws":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            while data := self.connection.recv(100):
                self.connection.sendall(data)
            self.close_connection = True
            return
        if self.path == "/large":
            self.send_response(200)
            self.send_header("Content-Length", str(64 << 20))
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(64):
                    self.wfile.write(b"x" * (1 << 20))
            return
        if self.path == "/silent":
            time.sleep(1)
        status = 502 if self.path == "/own-502" else 200
        body = (self.server.said + "\n" + str(self.headers)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def app_server(address: str, port: int, said: str):
    server = http.server.ThreadingHTTPServer((address, port), App)
    server.daemon_threads = True
    server.said = said
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class World:
    """A scratch nginx with the router that feeds it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.app_port = free_port()
        ours = f"{folder}/ours"
        place = Place(folder=ours, logs=f"{folder}/logs", port=self.port, ipv6=os.path.exists("/proc/net/if_inet6"))
        self.conf = f"{folder}/etc/nginx.conf"
        self.host = Host(place, etc=f"{folder}/etc", arguments=("-c", self.conf))
        self.router = NginxRouter(self.host)
        for name in ("logs", "etc/conf.d", "etc/sites-enabled"):
            os.makedirs(f"{folder}/{name}")
        shutil.copy("/etc/nginx/mime.types", f"{folder}/etc/mime.types")
        self.write(self.conf, CONF.format(folder=folder))
        self.router.install()
        self.write(self.host.include, f"include {ours}/main.conf;\n")

    def write(self, path: str, text: str) -> None:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self) -> None:
        subprocess.run(["/usr/sbin/nginx", "-c", self.conf], check=True)
        for _ in range(100):
            if nginx_host.pid(self.host):
                return
            time.sleep(0.05)
        raise AssertionError("nginx does not start")

    def stop(self) -> None:
        pid = nginx_host.pid(self.host)
        if pid:
            os.kill(pid, 15)
            for _ in range(100):
                if not nginx_host.pid(self.host):
                    return
                time.sleep(0.05)

    def route(self, app="blog", generation="v1", addresses=("127.0.0.1",), **more) -> "api.Route":
        listeners = more.pop("listeners", (api.Listener("http", self.port, self.app_port),))
        domains = more.pop("domains", (f"{app}.example.org",))
        backends = tuple(api.Backend(address) for address in addresses)
        return api.Route(app, generation, domains, listeners, backends, **more)

    def get(self, host: str, path: str = "/", port: int = 0, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": host, **headers})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def live(self) -> dict[str, tuple[int, int]]:
        """Name -> inode and change time of each live file."""
        return {entry.name: (entry.inode(), entry.stat().st_mtime_ns) for entry in os.scandir(self.host.live)}


@pytest.fixture
def world():
    folder = tempfile.mkdtemp(prefix="minipaas-router-")
    os.chmod(folder, 0o755)
    made = World(folder)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def app(world):
    with app_server("127.0.0.1", world.app_port, "first"):
        yield world


def raw(port: int, request: bytes) -> str:
    """What nginx answers to these bytes: the first line, the headers and the body."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return (
            f"HTTP/1.1 {answer.status} {answer.reason}\r\n{answer.msg}\r\n\r\n{answer.read().decode(errors='replace')}"
        )


def test_unknown_hosts_get_our_404_page(world):
    for headers in ({}, {"X-Forwarded-Host": "x"}):
        status, head, body = world.get("nobody.example.org", "/any", **headers)
        assert status == 404
        assert "There is no app at this address" in body
        assert head["Content-Type"].startswith("text/html")
    assert world.get("blog.example.org", "/.minipaas-pages/502.html")[0] == 404


def test_a_route_is_served_proven_and_removed(app):
    app.router.apply(app.route())
    assert app.router.applied("blog") == "v1"
    assert app.router.routes() == ["blog"]
    status, _, body = app.get("blog.example.org")
    assert status == 200
    assert body.startswith("first")
    assert app.get("other.example.org")[0] == 404
    app.router.remove("blog")
    app.router.remove("blog")
    assert app.router.applied("blog") == ""
    assert app.router.routes() == []
    assert app.get("blog.example.org")[0] == 404


def test_the_app_sees_who_asked(app):
    app.router.apply(app.route())
    body = app.get(
        "blog.example.org",
        "/",
        Forwarded="host=evil",
        Proxy="evil",
        **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil"},
    )[2]
    assert "Host: blog.example.org\n" in body
    assert "X-Forwarded-For: 127.0.0.1\n" in body
    assert "X-Forwarded-Proto: http\n" in body
    assert "X-Real-IP: 127.0.0.1\n" in body
    assert "X-Request-Start: t=" in body
    assert "evil" not in body
    assert "6.6.6.6" not in body


def sent(world, *lines: str, first="GET / HTTP/1.1") -> dict[str, str]:
    """The headers, in lower case, that the app got for a request of these lines."""
    answer = raw(world.port, ("\r\n".join([first, *lines, "Connection: close"]) + "\r\n\r\n").encode())
    assert answer.startswith("HTTP/1.1 200"), answer[:300]
    pairs = [line.partition(": ") for line in answer.partition("\r\n\r\n")[2].split("\n")[1:] if line]
    names = [name.lower() for name, _, _ in pairs]
    assert len(set(names)) == len(names), pairs
    return {name.lower(): value for name, _, value in pairs}


def test_the_app_sees_the_name_that_the_request_was_sent_to(app):
    app.router.apply(app.route(domains=("blog.example.org", "*.example.net")))
    for first, host, seen in (
        ("GET http://blog.example.org/ HTTP/1.1", "evil.example.org", "blog.example.org"),
        ("GET http://blog.example.org:99/ HTTP/1.1", "evil.example.org:8443", "blog.example.org:8443"),
        ("GET / HTTP/1.1", "Blog.Example.org", "blog.example.org"),
        ("GET / HTTP/1.1", "blog.example.org.:8080", "blog.example.org:8080"),
        ("GET / HTTP/1.1", "a.example.net:65535", "a.example.net:65535"),
        ("GET / HTTP/1.1", "blog.example.org:", "blog.example.org"),
        ("GET / HTTP/1.1", "blog.example.org:123456", "blog.example.org"),
        ("GET / HTTP/1.1", "blog.example.org:80@evil", "blog.example.org"),
        ("GET / HTTP/1.1", "blog.example.org:x:8080", "blog.example.org"),
    ):
        got = sent(app, "Host: " + host, "X-Forwarded-Host: evil", first=first)
        assert (got["host"], got["x-forwarded-host"]) == (seen, seen), (first, host)


def test_what_only_a_proxy_may_say_is_dropped(app):
    from plugins.router_nginx import headers

    said = [f"{name}: evil" for name in headers.FOREIGN] + ["Proxy: evil", "X-Real-IP: evil", "X-Request-Start: evil"]
    for path in ({}, {"settings": {"trusted-proxy": "192.0.2.7,2001:db8::/32"}}):
        app.router.apply(app.route(generation="v" + str(len(path)), **path))
        got = sent(app, "Host: blog.example.org", *said, "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https")
        assert "evil" not in str(got) and got["x-forwarded-for"] == got["x-real-ip"] == "127.0.0.1"
        assert (got["x-forwarded-proto"], got["x-forwarded-port"]) == ("http", str(app.port))
    app.router.apply(app.route(generation="v3", settings={"trusted-proxy": "127.0.0.0/8,192.0.2.7"}))
    got = sent(app, "Host: blog.example.org", *said)
    assert {name: got[name.lower()] for name in headers.FOREIGN} == dict.fromkeys(headers.FOREIGN, "evil")
    assert "proxy" not in got


def test_a_trusted_proxy_is_believed(app):
    def seen(*lines):
        got = sent(app, "Host: blog.example.org:8080", *lines)
        return [got["x-forwarded-" + name] for name in ("proto", "port", "host")] + [
            got["x-forwarded-for"],
            got["x-real-ip"],
        ]

    port, host = str(app.port), "blog.example.org:8080"
    app.router.apply(app.route(settings={"trusted-proxy": "on"}))
    for lines, told in (
        ((), ["http", port, host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: https",), ["https", "443", host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: HTTPS , http",), ["https", "443", host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: http,https",), ["http", port, host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: wss",), ["https", "443", host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: httpsx", "X-Forwarded-Port: 0"), ["http", port, host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Proto: https", "X-Forwarded-Port: 8443, 80"), ["https", "8443", host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Host: a.example.org:444, b",), ["http", port, "a.example.org:444", "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Host: [::1]:444",), ["http", port, "[::1]:444", "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-Host: a/b",), ["http", port, host, "127.0.0.1", "127.0.0.1"]),
        (("X-Forwarded-For: 6.6.6.6, 192.0.2.9",), ["http", port, host, "6.6.6.6, 192.0.2.9, 127.0.0.1", "192.0.2.9"]),
    ):
        assert seen(*lines) == told, lines
    app.router.apply(app.route(generation="v2", settings={"trusted-proxy": "127.0.0.1,192.0.2.0/24"}))
    got = seen("X-Forwarded-For: 6.6.6.6, 203.0.113.5, 192.0.2.9", "X-Forwarded-Proto: https")
    assert got == ["https", "443", host, "6.6.6.6, 203.0.113.5, 192.0.2.9, 127.0.0.1", "203.0.113.5"]
    deadline = time.monotonic() + 5
    while "\n203.0.113.5 - " not in (
        log := (files.read(f"{app.folder}/logs/blog-access.log") or "")
    ):  # after the answer
        assert time.monotonic() < deadline, log
        time.sleep(0.02)


def test_http_2_in_the_clear_is_not_passed_on(app):
    app.router.apply(app.route())
    got = sent(app, "Host: blog.example.org", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert "upgrade" not in got and got.get("connection", "") != "upgrade"


def test_an_idle_websocket_stays_while_a_silent_answer_ends(app):
    app.router.apply(app.route(settings={"proxy-read-timeout": "200ms"}))
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: blog.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        assert b" 101 " in connection.recv(4096)
        assert app.get("blog.example.org", "/silent")[0] == 504, "which takes longer than the limit of answers"
        connection.sendall(b"ping")
        assert connection.recv(100) == b"ping"
    app.router.apply(app.route(generation="v2", settings={"websocket-timeout": "200ms"}))
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(
            b"GET /ws HTTP/1.1\r\nHost: blog.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        )
        assert b" 101 " in connection.recv(4096) and connection.recv(100) == b""
    assert app.get("blog.example.org", "/silent")[0] == 200


def on_disk(world) -> int:
    """How many bytes nginx's workers have in files that no name leads to, which is where answers wait."""
    total = 0
    for worker in nginx_host.workers(world.host):
        for handle in os.scandir(f"/proc/{worker}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(handle.path).endswith("(deleted)"):
                    total += os.stat(handle.path).st_size
    return total


@pytest.mark.parametrize(("value", "megabytes"), [(None, 8), ("0", 0), ("20m", 20)])
def test_what_waits_on_disk_for_a_slow_reader_has_a_limit(app, value, megabytes):
    app.router.apply(app.route(settings={"proxy-max-temp-file-size": value} if value else {}))
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: blog.example.org\r\n\r\n")
        assert connection.recv(10) == b"HTTP/1.1 2"
        sizes, deadline = [], time.monotonic() + 8
        while len(sizes) < 5 or sizes[-1] != sizes[-5] or sizes[-1] < (megabytes - 1) << 20:
            assert time.monotonic() < deadline, sizes[-10:]
            time.sleep(0.05)
            sizes.append(on_disk(app))
        assert sizes[-1] <= (megabytes << 20) + (256 << 10)


def test_a_websocket_to_an_app_that_is_down_gets_the_502_page(world):
    world.router.apply(world.route())
    status, _, body = world.get("blog.example.org", "/ws", Upgrade="websocket", Connection="Upgrade")
    assert status == 502 and "This app does not answer" in body


@pytest.mark.parametrize("host", ["blog.example.org", "nobody.example.org"])
def test_what_nginx_refuses_has_a_page_of_ours(app, host):
    app.router.apply(app.route(settings={"client-max-body-size": "1k"}))
    head = f"Host: {host}\r\n"
    for status, request, words in (
        ("400 Bad Request", "GET / HTTP/1.1\r\nno header\r\n" + head, "cannot be understood"),
        ("400 Bad Request", "bad line\r\n", "cannot be understood"),
        ("400 Bad Request", "GET / HTTP/1.1\r\n" + head + "X: " + "x" * 9000 + "\r\n", "cannot be understood"),
        ("400 Bad Request", "GET / HTTP/1.1\r\nX: " + "x" * 9000 + "\r\n" + head, "cannot be understood"),
        ("413 Request Entity", "POST / HTTP/1.1\r\n" + head + "Content-Length: 9000000\r\n", "too large"),
        ("414 Request-URI", "GET /" + "x" * 9000 + " HTTP/1.1\r\n" + head, "address is too long"),
    ):
        answer = raw(app.port, (request + "\r\n").encode())
        assert answer.startswith("HTTP/1.1 " + status) and words in answer, (request[:40], answer[:300])
        assert "text/html" in answer and "<center>nginx" not in answer


def test_what_all_apps_share_holds_for_each_at_once(app):
    app.router.apply(app.route())
    host, large = "Host: blog.example.org", "X-Large: " + "x" * 20000
    assert "x_team" not in sent(app, host, "X_Team: blue")
    app.router.follow_platform({"nginx": {"underscores-in-headers": "on", "large-client-header-buffers": "4 32k"}})
    for lines in ((host, "X_Team: blue", large), ("X_Team: blue", large, host)):
        got = sent(app, *lines, "X_Forwarded_For: evil", "X-Forwarded_Proto: evil", "Content_Length: 7")
        assert got["x_team"] == "blue" and len(got["x-large"]) == 20000
        assert "evil" not in str(got) and "content_length" not in got
    app.router.follow_platform({"nginx": {"client-header-timeout": "200ms"}})
    assert "x_team" not in sent(app, host, "X_Team: blue")
    for first in (b"GET / HT", b"GET / HTTP/1.1\r\nHost: blog.example.org\r\nX-Half: "):
        with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
            connection.sendall(first)
            with pytest.raises(ConnectionResetError):  # no memory is kept for what it may still read
                assert connection.recv(100)
                connection.recv(100)
    app.router.install()  # as a node's router does: from what is remembered
    assert "client_header_timeout 200ms;" in files.read(f"{app.host.place.folder}/server.conf")


def test_what_nginx_does_not_take_for_all_apps_changes_nothing(app):
    app.router.apply(app.route())
    app.write(f"{app.folder}/etc/sites-enabled/mine", "server { nonsense; }\n")
    with pytest.raises(api.errors.Unavailable, match="did not apply the settings for all apps"):
        app.router.follow_platform({"nginx": {"client-header-timeout": "5s"}})
    assert files.read_everywhere(app.host) == {}
    assert "client_header_timeout 20s;" in files.read(f"{app.host.place.folder}/server.conf")
    assert app.get("blog.example.org")[0] == 200


def test_an_app_that_is_slow_gets_the_504_page(app):
    app.router.apply(app.route(settings={"proxy-read-timeout": "200ms"}))
    status, _, body = app.get("blog.example.org", "/silent")
    assert status == 504 and "takes too long" in body


def test_an_app_without_processes_gets_the_503_page(app):
    app.router.apply(app.route(addresses=()))
    status, head, body = app.get("blog.example.org", "/any")
    assert status == 503
    assert head["Retry-After"] == "30"
    assert "This app is not running" in body


def test_one_generation_in_two_states_is_told_apart(app):
    app.router.apply(app.route())
    app.router.apply(app.route(addresses=()))  # the same release, stopped
    assert app.get("blog.example.org")[0] == 503
    assert app.router.applied("blog") == "v1"


def test_a_dead_app_gets_our_page_and_its_own_errors_go_through(world):
    world.router.apply(world.route())
    status, _, body = world.get("blog.example.org")
    assert status == 502
    assert "This app does not answer" in body
    with app_server("127.0.0.1", world.app_port, "first"):
        status, _, body = world.get("blog.example.org", "/own-502")
        assert status == 502
        assert body.startswith("first")


def test_a_process_that_does_not_accept_is_passed_over(app):
    app.router.apply(app.route(addresses=("127.0.0.1", "127.0.0.9")))
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=10)
    for _ in range(20):
        connection.request("POST", "/", body="x", headers={"Host": "blog.example.org"})
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()


def test_apply_of_the_same_route_touches_nothing(app):
    app.router.apply(app.route())
    before, position = app.live(), nginx_host.pid(app.host)
    app.router.apply(app.route())
    assert (app.live(), nginx_host.pid(app.host)) == (before, position)


def test_a_kill_between_rename_and_reload_is_finished_by_the_next_apply(app):
    app.router.apply(app.route())
    path = files.app_path(app.host, "blog")
    newer = app.route(generation="v2")
    from plugins.router_nginx import render

    durable_file.write(path, render.app_file(newer, app.host.place))
    assert app.router.applied("blog") == "v1"
    app.router.apply(newer)
    assert app.router.applied("blog") == "v2"


def test_what_was_tested_before_processes_started_is_not_tested_again(app, monkeypatch):
    asked, test = [], nginx_host.test
    monkeypatch.setattr(nginx_host, "test", lambda host: asked.append(1) or test(host))
    app.router.check(app.route(addresses=("198.18.0.1",)))
    assert len(asked) == 1 and list(app.live()) == [f"_port_{app.port}.conf"]
    app.router.apply(app.route())
    assert len(asked) == 1 and app.get("blog.example.org")[0] == 200
    app.router.apply(app.route(generation="v2", domains=("other.example.org",)))
    assert len(asked) == 2, "another route than the rehearsed"


def test_what_was_refused_before_processes_started_is_refused_again(app):
    app.router.apply(app.route())
    bad = app.route(generation="v2", template="server { nonsense; }", settings={"custom-template": "on"})
    for call in (app.router.check, app.router.apply):
        with pytest.raises(api.errors.BadConfig):
            call(bad)
    assert app.router.applied("blog") == "v1"


def test_what_nginx_refuses_is_never_live(app):
    app.router.apply(app.route())
    before = app.live()
    template = """upstream minipaas_blog_x { server {{ upstreams[0].servers[0] }}; }
        server { listen {{ listeners[0].addresses[0] }}; server_name {{ domains[0] }};"""
    bad = app.route(
        generation="v2",
        settings={"custom-template": "on"},
        template=template + ' location ~ "(" { proxy_pass http://minipaas_blog_x; } }',
    )
    with pytest.raises(api.errors.BadConfig, match="nginx refuses the route of blog"):
        app.router.apply(bad)
    assert app.live() == before
    assert app.router.applied("blog") == "v1"
    assert app.get("blog.example.org")[0] == 200


def test_a_template_of_the_app_is_served_with_the_app_s_logs(app):
    template = """
    upstream {{ upstreams[0].name }} { {% for server in upstreams[0].servers %} server {{ server }}; {% endfor %} }
    {% for listener in listeners %}
    server {
      {% for address in listener.addresses %} listen {{ address }}; {% endfor %}
      server_name {{ domains | join(' ') }};
      location = /hello { return 200 "hello from {{ app }}"; }
      location / { proxy_pass http://{{ listener.upstream }}; proxy_set_header Host $http_host; }
    }
    {% endfor %}"""
    app.router.apply(app.route(settings={"custom-template": "on"}, template=template))
    assert app.get("blog.example.org", "/hello")[2] == "hello from blog"
    assert app.get("blog.example.org")[2].startswith("first")
    with open(f"{app.folder}/logs/blog-access.log", encoding="utf-8") as log:
        assert "GET /hello" in log.read()


def test_no_template_leads_to_a_file_of_the_host(app):
    secret = f"{app.folder}/secret"
    app.write(secret, "the words of a file of the host")
    os.chmod(secret, 0o644)
    up = "/.." * 12 + secret
    template = """
    upstream minipaas_blog_x { server {{ upstreams[0].servers[0] }}; }
    server { listen {{ listeners[0].addresses[0] }}; server_name {{ domains[0] }};
      rewrite ^/top UP break;
      if ($arg_x) { rewrite ^/if-top $arg_x break; }
      location /rewrite { rewrite ^ UP break; }
      location /last { rewrite ^ /.minipaas-pagesUP last; }
      location /if { if ($request_method = GET) { rewrite ^ UP break; } }
      location /argument { set $to $arg_x; rewrite ^ $to break; }
      location ~ ^/captured(.*)$ { rewrite ^ $1 break; }
      location /page { error_page 404 UP; return 404; }
      location /pages { error_page 404 /.minipaas-pagesUP; return 404; }
      location /pages-200 { error_page 404 =200 /.minipaas-pages/..UP; return 404; }
      location /sub { auth_request UP; }
      location /relative { rewrite ^ ..UP break; }
      location /plain { }
      location /app { proxy_pass http://minipaas_blog_x; }
    }""".replace("UP", up)
    app.router.apply(app.route(settings={"custom-template": "on"}, template=template))
    assert app.get("blog.example.org", "/app")[0] == 200
    places = "top if-top rewrite last if argument captured page pages pages-200 sub relative plain other".split()
    for place in places:
        for path in (f"/{place}", f"/{place}?x={up}", f"/{place}{up.replace('.', '%2e')}", f"/{place}%2f..{up}"):
            status, _, body = app.get("blog.example.org", path)
            assert "the words" not in body, path
            assert status in (400, 404, 500, 200) and ("first" not in body), path


def test_what_one_template_defines_is_not_what_others_use(app):
    app.router.apply(app.route(app="shop"))
    for definition in (
        "location ~ (?<minipaas_connection>x) { return 404; }",
        "rewrite (?P<http_upgrade>x) /;",
        "set $http_upgrade '';",
    ):
        names = "listen {{ listeners[0].addresses[0] }}; server_name {{ domains[0] }};"
        template = f"server {{ {names} {definition} }}"
        with pytest.raises(api.errors.BadConfig, match="nginx.conf.j2 is refused"):
            app.router.apply(app.route(settings={"custom-template": "on"}, template=template))
    got = sent(app, "Host: shop.example.org", "Upgrade: websocket")
    assert got["connection"] == "upgrade" and got["upgrade"] == "websocket"


def test_when_nginx_does_not_run_nothing_changes(app):
    app.router.apply(app.route())
    before = app.live()
    app.stop()
    with pytest.raises(api.errors.Unavailable, match="nginx is not running"):
        app.router.apply(app.route(generation="v2"))
    assert app.live() == before
    app.router.remove("blog")
    assert app.router.routes() == []
    app.start()


def test_another_app_s_bad_file_is_named_and_ours_is_put_back(app):
    app.router.apply(app.route())
    app.router.apply(app.route(app="shop"))
    app.write(files.app_path(app.host, "shop"), "serverr {\n")
    with pytest.raises(api.errors.Unavailable, match="live/shop.conf") as caught:
        app.router.apply(app.route(generation="v2"))
    assert caught.value.hint.endswith("ps:restore shop")
    assert app.router.applied("blog") == "v1"
    assert app.get("blog.example.org")[0] == 200
    assert "shop.conf" in app.router.validate().complaint
    assert app.router.validate("blog").complaint == ""
    app.router.apply(app.route(app="shop"))  # what the advice does
    app.router.apply(app.route(generation="v2"))
    assert app.router.validate() == ("", ())


def test_a_bad_file_of_the_host_is_named(app):
    app.router.apply(app.route())
    app.write(f"{app.folder}/etc/sites-enabled/mine", "server { nonsense; }\n")
    with pytest.raises(api.errors.Unavailable, match="sites-enabled/mine"):
        app.router.apply(app.route(generation="v2"))
    assert app.router.applied("blog") == "v1"


def test_further_ports_answer_unknown_hosts_and_go_with_their_last_app(app):
    port = free_port()
    both = (api.Listener("http", app.port, app.app_port), api.Listener("http", port, app.app_port))
    app.router.apply(app.route(listeners=both))
    app.router.apply(app.route(app="shop", listeners=both))
    assert app.get("blog.example.org", port=port)[0] == 200
    assert app.get("nobody.example.org", port=port)[0] == 404
    app.router.apply(app.route(generation="v2"))
    assert app.get("blog.example.org", port=port)[0] == 404
    assert app.get("shop.example.org", port=port)[0] == 200
    app.router.remove("shop")
    assert sorted(app.live()) == [f"_port_{app.port}.conf", "blog.conf"]


def test_what_a_kill_left_between_two_files_goes_with_the_next_change(app):
    app.router.apply(app.route())
    for name in ("blog.conf.4711.new", f"_port_{free_port()}.conf"):
        durable_file.write(os.path.join(app.host.live, name), "# half")
    app.router.apply(app.route())
    assert sorted(app.live()) == [f"_port_{app.port}.conf", "blog.conf"]


def test_a_port_of_another_program_is_refused(app):
    app.router.apply(app.route())
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(api.errors.BadConfig, match=f"port {taken} of this host is used"):
            app.router.apply(app.route(generation="v2", listeners=(api.Listener("http", taken, app.app_port),)))
    assert app.router.applied("blog") == "v1"


def test_a_port_taken_after_the_check_is_noticed_fast_and_put_back(app, monkeypatch):
    app.router.apply(app.route())
    monkeypatch.setattr(NginxRouter, "_check_ports_free", lambda self, ports: None)
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        began = time.monotonic()
        with pytest.raises(api.errors.Unavailable, match="Address already in use"):
            app.router.apply(
                app.route(generation="v2", listeners=(api.Listener("http", other.getsockname()[1], app.app_port),))
            )
        assert time.monotonic() - began < 8
    assert sorted(app.live()) == [f"_port_{app.port}.conf", "blog.conf"]
    assert app.router.applied("blog") == "v1"


def test_streams_and_websockets_survive_other_apps_changes(app):
    app.router.apply(app.route())
    socket_ = socket.create_connection(("127.0.0.1", app.port), timeout=10)
    socket_.sendall(b"GET /ws HTTP/1.1\r\nHost: blog.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert b" 101 " in socket_.recv(4096)
    stream = http.client.HTTPConnection("127.0.0.1", app.port, timeout=10)
    stream.request("GET", "/stream", headers={"Host": "blog.example.org"})
    answer = stream.getresponse()
    for number in range(5):
        app.router.apply(app.route(app="shop", generation=f"v{number}"))
        app.router.apply(app.route(generation=f"v{number + 2}"))
        socket_.sendall(b"ping%d" % number)
        assert socket_.recv(100) == b"ping%d" % number
    assert answer.read().split() == [b"%d" % number for number in range(40)]
    socket_.close()


def test_no_request_fails_while_upstreams_change(app):
    failed: list = []
    done = threading.Event()

    def load():
        while not done.is_set():
            try:
                status = app.get("blog.example.org")[0]
            except OSError as error:
                status = repr(error)
            if status != 200:
                failed.append(status)

    app.router.apply(app.route())
    with app_server("127.0.0.2", app.app_port, "second"):
        thread = threading.Thread(target=load)
        thread.start()
        for number in range(2, 12):
            app.router.apply(app.route(generation=f"v{number}", addresses=(f"127.0.0.{number % 2 + 1}",)))
        done.set()
        thread.join()
    assert failed == []


def test_doctor_names_the_first_broken_link_and_the_fix(app):
    from plugins.router_nginx import doctor

    def first_bad():
        return next((finding for finding in doctor.host_findings(app.host) if not finding.ok), None)

    app.router.apply(app.route())
    assert first_bad() is None
    blog = api.App("blog")
    assert [finding.ok for finding in doctor.app_findings(app.host, blog)] == [True]

    durable_file.write(
        files.app_path(app.host, "blog"),
        files.read(files.app_path(app.host, "blog")).replace("generation=v1", "generation=v9"),
    )
    (finding,) = doctor.app_findings(app.host, blog)
    assert (finding.ok, finding.fix) == (False, "ps:restore blog")
    app.write(files.app_path(app.host, "blog"), "serverr {\n")
    assert first_bad().part == "nginx: configuration"
    assert "blog.conf" in first_bad().said
    assert first_bad().fix.endswith("ps:restore blog")
    app.router.apply(app.route())

    app.stop()
    assert first_bad().part == "nginx: daemon"
    app.start()
    os.unlink(app.host.include)
    assert first_bad().part == "nginx: include"


def test_doctor_says_when_connections_are_few_or_ran_out(app):
    from plugins.router_nginx import doctor

    def look(part):
        return {finding.part: finding for finding in doctor.host_findings(app.host)}[part]

    whole = files.read(app.conf)
    app.write(app.conf, whole.replace("worker_connections 8192", "worker_connections 768"))
    few = look("nginx: connections")
    assert not few.ok and "have 768 connections" in few.said and "minipaas install" in few.fix
    app.write(app.conf, whole)
    assert look("nginx: connections").ok and look("nginx: load").ok
    for number in (768, 8192):
        assert look("nginx: load").ok, "that it had fewer a while ago is mended"
        with open(f"{app.folder}/logs/error.log", "a", encoding="utf-8") as log:
            log.write(
                time.strftime("%Y/%m/%d %H:%M:%S") + f" [alert] 1#1: {number} worker_connections are not enough\n"
            )
    assert not look("nginx: load").ok and "8192 worker_connections are not enough" in look("nginx: load").said


def test_an_upgrade_writes_all_routes_anew_in_one_reload(app, monkeypatch):
    from plugins.router_nginx import refresh

    routes = {name: app.route(app=name) for name in ("blog", "shop", "wiki")}
    for route in routes.values():
        app.router.apply(route)
    paths = {name: files.app_path(app.host, name) for name in routes}
    fresh = {name: files.read(path) for name, path in paths.items()}
    for path in paths.values():
        durable_file.write(path, files.read(path).replace("server_tokens off;", "server_tokens on;", 1))
    app.router.reload()
    reloads, reload = [], nginx_host.reload
    monkeypatch.setattr(nginx_host, "reload", lambda host: reloads.append(1) or reload(host))

    def route_of(name, backends):
        domains = ("a.example.org", "a..b") if name == "wiki" else routes[name].domains
        return dataclasses.replace(routes[name], backends=tuple(backends), domains=domains)

    (sentence,) = refresh.refresh(app.router, route_of)
    assert "the route of wiki stays as it was" in sentence and len(reloads) == 1
    assert {name: files.read(path) == fresh[name] for name, path in paths.items()} == {
        "blog": True,
        "shop": True,
        "wiki": False,
    }
    for name in routes:
        assert app.get(f"{name}.example.org")[0] == 200
    assert app.get("shop.example.org")[1]["Server"] == "nginx"


def test_what_nginx_refuses_of_an_upgrade_stays_and_the_rest_is_taken(app):
    app.router.apply(app.route())
    app.router.apply(app.route(app="shop"))
    paths = [files.app_path(app.host, name) for name in ("blog", "shop")]
    former = {path: files.read(path) for path in paths}
    (sentence,) = app.router.replace({paths[0]: "nonsense {\n", paths[1]: former[paths[1]] + "# new\n"}, former)
    assert "blog.conf stays as it was" in sentence
    assert files.read(paths[0]) == former[paths[0]] and files.read(paths[1]).endswith("# new\n")
    assert app.router.replace({paths[1]: "nonsense {\n"}, former) == [], "another command was faster"
    assert app.get("shop.example.org")[0] == 200


def test_five_hundred_apps_change_one_file_and_cost_little_more(app):
    def cost(first: int) -> float:
        times = []
        for number in range(first, first + 7):
            began = time.perf_counter()
            app.router.apply(app.route(generation=f"v{number}"))
            times.append(time.perf_counter() - began)
        return sorted(times)[3]

    alone = cost(1)
    from plugins.router_nginx import render

    for number in range(500):
        route = app.route(
            app=f"other-{number}", domains=(f"other-{number}.example.org", f"www.other-{number}.example.org")
        )
        quiet = dataclasses.replace(
            route, settings={"access-log": "off"}
        )  # the limit on open files is the host's matter
        app.write(files.app_path(app.host, route.app), render.app_file(quiet, app.host.place))
    app.router.reload()
    before = app.live()
    among = cost(100)
    after = app.live()
    changed = [name for name in after if after[name] != before.get(name)]
    print(f"apply alone {alone * 1000:.0f} ms, among 500 apps {among * 1000:.0f} ms, ratio {among / alone:.1f}")
    assert changed == ["blog.conf"]
    assert app.router.applied("other-499") == "v1"
