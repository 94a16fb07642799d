"""One attempt of a check: what is wrong, in a few words; and attempts until it is passed."""

import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from minipaas_lib import errors
from minipaas_lib.deploy import probe, readiness
from minipaas_lib.model.healthcheck import Check
from minipaas_lib.model.process import ContainerSpec, Process
from minipaas_lib.model.release import Release


class Server:
    """Answers by path: /200, /503, /to/<place>; notes the Host headers."""

    def __init__(self):
        server = self
        self.hosts: list[str] = []

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self):
                server.hosts.append(self.headers["Host"])
                head, _, place = self.path[1:].partition("/")
                self.send_response(302 if head == "to" else int(head))
                if head == "to":
                    self.send_header("Location", place.replace("PORT", str(server.port)))
                self.end_headers()
                self.wfile.write(b"hello world")

            def log_message(self, *words):
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Answer)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def get(server, path: str, **more) -> str:
    process = Process("blog_v1.web.1", "blog", 1, "web", 1, address="127.0.0.1", port=server.port)
    return probe.request(process, Check("startup", "up", "path", path=path, **more), server.port, "blog.test")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/200", ""),
        ("/204", ""),
        ("/503", "GET /503 answered 503"),
        ("/to//200", ""),
        ("/to//503", "GET /503 answered 503"),
        ("/to/http://blog.test/200", ""),
        ("/to/http://127.0.0.1:PORT/200", ""),
        ("/to/https://blog.test/200", 'answered 302, to "https://blog.test/200"'),
        ("/to/http://evil.test/200", "answered 302"),
        ("/to/http://[/200", "answered 302"),
        ("/to//to//to//to//to//to//to//200", "was redirected more than 5 times"),
        ("/to/", "answered 302"),
    ],
)
def test_http(server, path, said):
    found = get(server, path)
    assert found == "" if said == "" else said in found


def test_content_headers_and_host(server):
    assert get(server, "/200", content="world") == ""
    assert get(server, "/200", content="moon") == 'GET /200 answered 200 without "moon"'
    server.hosts.clear()
    assert get(server, "/200") == "" and get(server, "/200", headers=(("host", "other.test"),)) == ""
    assert server.hosts == ["blog.test", "other.test"]


def test_refused_and_not_http(server):
    process = Process("blog_v1.web.1", "blog", 1, "web", 1, address="127.0.0.1")
    assert probe.request(process, Check("startup", "up", "path", path="/"), 1, "x") == probe.REFUSED
    assert "failed" in get(server, "/200", scheme="https")


def test_in_time():
    assert probe.in_time(lambda: "said", 1, lambda: False) == "said"
    assert "no answer within 0.1 s" in probe.in_time(lambda: time.sleep(2) or "", 0.1, lambda: False)
    begun = time.monotonic()
    probe.in_time(lambda: time.sleep(5) or "", 5, lambda: True)
    assert time.monotonic() - begun < 1
    assert probe.in_time(lambda: 1 / 0, 1, lambda: False).startswith("ZeroDivisionError")


# -- attempts ------------------------------------------------------------------------------------------------------


def release(*checks: Check, kind: str = "web") -> Release:
    return Release("blog", 1, "sha256:1", healthchecks={kind: [check.to_document() for check in checks]})


def started(fake, kind: str = "web", **changes) -> Process:
    process = fake.scheduler.start(
        ContainerSpec(f"blog_v1.{kind}.1", "blog", 1, kind, 1, "sha256:1", port=5000 if kind == "web" else 0)
    )
    fake.scheduler.set(process.name, **changes)
    return fake.scheduler.containers[process.name]


def command(**more) -> Check:
    return Check("startup", "up", "command", command=("c",), **{"attempts": 3, "timeout": 1, "wait": 0} | more)


def test_attempts_until_it_is_passed(fake, capsys):
    fake.scheduler.probes = [(1, "no\nnot yet\n"), (2, "")]
    readiness.check_process(fake.scheduler, release(command()), started(fake))
    said = capsys.readouterr().err
    assert (
        "web.1: check 'up', attempt 1 of 3: exit code 1: \"not yet\"" in said
        and "attempt 2 of 3: exit code 2\n" in said
    )


def test_all_attempts_fail(fake):
    fake.scheduler.probes = [(1, "")] * 9
    with pytest.raises(errors.DeployFailed, match="web.1: check 'up' failed 3 times: exit code 1"):
        readiness.check_process(fake.scheduler, release(command()), started(fake))
    assert len(fake.scheduler.probes) == 6


def test_a_warning_does_not_fail(fake, capsys):
    fake.scheduler.probes = [(1, "")]
    readiness.check_process(fake.scheduler, release(command(attempts=1, warn=True)), started(fake))
    assert "did not pass: exit code 1" in capsys.readouterr().err


def test_liveness_is_not_run_before_traffic(fake):
    fake.scheduler.probes = [(1, "")]
    readiness.check_process(fake.scheduler, release(Check("liveness", "up", "command", command=("c",))), started(fake))
    assert len(fake.scheduler.probes) == 1


def test_web_must_accept_whatever_its_checks_say(fake):
    fake.scheduler.deaf = {"web"}
    with pytest.raises(errors.DeployFailed, match="does not listen on port 5000"):
        readiness.check_process(fake.scheduler, release(command()), started(fake))


def test_a_crash_ends_long_waits(fake):
    slow = command(attempts=50, wait=60)
    fake.scheduler.probes = [(1, "")] * 50
    process = started(fake)
    threading.Timer(0.5, lambda: fake.scheduler.set(process.name, state="exited", exit_code=3)).start()
    begun = time.monotonic()
    with pytest.raises(errors.DeployFailed, match="exit code 3"):
        readiness.check_process(fake.scheduler, release(slow), process)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("check", [command(initial_delay=60), Check("startup", "up", "uptime", uptime=60)])
def test_given_up_elsewhere(fake, check):
    with pytest.raises(errors.Cancelled):
        readiness.check_process(fake.scheduler, release(check), started(fake), lambda: True)


def test_uptime_and_delay_count_from_the_start(fake):
    early = time.strftime("%Y-%m-%dT%H:%M:%S.123Z", time.gmtime(time.time() - 100))
    begun = time.monotonic()
    checks = release(Check("startup", "up", "uptime", uptime=60), command(initial_delay=60), kind="worker")
    readiness.check_process(fake.scheduler, checks, started(fake, "worker", started=early))
    assert time.monotonic() - begun < 5


def test_listening_ends_its_wait_when_the_port_accepts(fake, monkeypatch):
    open_at = time.monotonic() + 0.5
    for module in (probe, readiness):
        monkeypatch.setattr(module, "accepts", lambda backend, port: time.monotonic() > open_at)
    begun = time.monotonic()
    readiness.check_process(fake.scheduler, release(Check("startup", "up", "listening", wait=30)), started(fake))
    assert time.monotonic() - begun < 5
