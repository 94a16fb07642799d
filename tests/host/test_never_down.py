"""A site that served before a command serves during it and after it."""

import http.client
import threading
import time

import pytest
from conftest import Load, Repo, web

pytestmark = pytest.mark.serial  # it measures

STREAM = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\nX-Accel-Buffering: no\\r\\n\\r\\n'
for second in $(seq 40); do echo "tick $second"; sleep 1; done
"""


def read_stream(host, name: str, lines: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=30)
    connection.request("GET", "/cgi-bin/stream", headers={"Host": name})
    answer = connection.getresponse()
    while line := answer.readline():
        lines.append(line.decode().strip())


def test_no_request_fails_through_pushes_scaling_config_and_restart_and_no_stream_is_cut(
    host, app, other_app, repo, tmp_path
):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "5")
    repo.push()
    second = Repo(host, tmp_path / "second", other_app, **web("stream"), **{"www___cgi-bin___stream": STREAM})
    second.push()
    lines: list[str] = []
    streaming = threading.Thread(target=read_stream, args=(host, host.url_host(other_app), lines))
    streaming.start()
    begun = time.monotonic()
    with Load(host, host.url_host(app)).running() as load:
        for turn in range(6):
            repo.commit(www___index__html=f"turn {turn}")
            repo.push()
            assert host.get(host.url_host(app)) == (200, f"turn {turn}")
        host.ssh("ps:scale", app, "web=3")
        host.ssh("ps:scale", app, "web=1")
        host.ssh("config:set", app, "A=1")
        host.ssh("ps:restart", app)
        time.sleep(6)
    assert load.failed == []
    assert load.done > 300
    streaming.join(90)
    assert lines == [f"tick {second}" for second in range(1, 41)]
    print(f"{load.done} requests, none failed, in {time.monotonic() - begun:.0f} s")


def test_ten_domain_changes_and_a_failing_push_go_unnoticed(host, app, repo):
    repo.push()
    name = host.url_host(app)
    with Load(host, name).running() as load:
        for turn in range(5):
            host.ssh("domains:add", app, f"d{turn}.{app}.test")
            assert host.get(f"d{turn}.{app}.test")[0] == 200
        for turn in range(5):
            host.ssh("domains:remove", app, f"d{turn}.{app}.test")
        repo.commit(**web("broken", command="exit 1"))
        assert repo.push(ok=False).returncode != 0
    assert load.failed == [] and load.done > 50
    assert host.containers(app) == [f"{app}_v1.web.1"]
