"""Checks of app.json, drains, crashes after the switch, liveness and tasks, as a user over ssh and http meets them."""

import http.client
import json
import os
import signal
import socket
import threading
import time

import on_nodes
import pytest
from conftest import BUSYBOX_IMAGE, Load, docker, wait_for, web

SERVE = "exec httpd -f -p $PORT -h /www"
SHELL_LESS = f"""FROM {BUSYBOX_IMAGE} AS tools
FROM scratch
COPY --from=tools /bin/busybox /httpd
COPY www /www
USER 1234
CMD ["/httpd", "-f", "-p", "5000", "-h", "/www"]
"""
SLOW = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'; sleep 10; echo slow but whole\n"
# One connection each: an upgrade that ticks for ever, or a page.
HANDLER = """#!/bin/sh
read -r method path rest
while read -r line; do [ "${#line}" -gt 1 ] || break; done
if [ "$path" = /ws ]; then
    printf 'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n'
    while echo tick; do sleep 1; done
else
    printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nhello'
fi
"""


def checks(**by_type) -> str:
    return json.dumps({"healthchecks": by_type})


def said_once(text: str, *parts: str) -> None:
    for part in parts:
        assert text.count(part) == 1, f"{part!r} is there {text.count(part)} times:\n{text}"


def main_pid(container: str) -> int:
    """The process under docker's init, seen from the host."""
    init = on_nodes.pid(container)
    with open(f"/proc/{init}/task/{init}/children") as file:
        return int(file.read().split()[0])


def releases(host, app) -> list[dict]:
    return json.loads(host.ssh("releases", app, "--format", "json").stdout)


# -- before traffic ------------------------------------------------------------------------------------------------


def test_an_http_check_is_waited_for_and_one_that_fails_keeps_the_old(host, app, repo):
    path = {
        "type": "readiness",
        "name": "page",
        "path": "/ready.html",
        "content": "yes",
        "attempts": 3,
        "wait": 1,
        "timeout": 2,
    }
    repo.commit(app__json=checks(web=[path]), www___ready__html="yes, ready")
    repo.push()
    assert "readiness:path" in host.ssh("checks:report", app).stdout
    assert "web.1 is fine" in host.ssh("checks:run", app).stderr
    repo.commit(www___ready__html="no", www___index__html="new")
    refused = repo.push(ok=False)
    said_once(
        refused.stderr,
        "check 'page' failed 3 times: GET /ready.html answered 200 without \"yes\"",
        "v2 failed while waiting for web.1; v1 is still live",
        f"logs:failed {app}",
    )
    assert refused.returncode != 0
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    assert host.containers(app, every=True) == [f"{app}_v1.web.1"]
    assert 'without "yes"' in host.ssh("logs:failed", app).stdout


def test_a_command_is_run_inside_and_a_crash_ends_the_wait_at_once(host, app, repo):
    command = {
        "type": "startup",
        "command": ["sh", "-c", "[ -e /tmp/up ] || { echo not yet; exit 3; }"],
        "attempts": 60,
        "wait": 1,
    }
    repo.commit(app__json=checks(web=[command]), **web("a", command=f"(sleep 3; echo 1 >/tmp/up) & {SERVE}"))
    assert 'exit code 3: "not yet"' in repo.push().stderr
    repo.commit(**web("b", command="(sleep 2; kill 1; kill -9 -1) & sleep 1; exit 5"))
    begun = time.monotonic()
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "exit code 5" in refused.stderr and time.monotonic() - begun < 30
    assert host.get(host.url_host(app)) == (200, "a")


def test_what_app_json_gets_wrong_is_said_before_the_build(host, app, repo):
    repo.commit(app__json=checks(web=[{"path": "no-slash"}]))
    refused = repo.push(ok=False)
    said_once(
        refused.stderr,
        "app.json: healthchecks.web[0].path must start with /",
        "v1 failed before anything was built; nothing was live before",
    )


def test_skip_does_not_wait_and_disable_stops_first_and_says_so(host, app, repo):
    repo.push()
    host.ssh("checks:skip", app, "web")
    never = {"path": "/nothing", "attempts": 50}
    repo.commit(app__json=checks(web=[never]))
    assert "not waited for (checks:skip)" in repo.push().stderr
    host.ssh("checks:disable", app)
    repo.commit(app__json="{}", www___index__html="alone")
    pushed = repo.push().stderr
    assert pushed.index("web of") < pushed.index("web.1 is up")
    said_once(pushed, f"web of {app} is down until its new processes are up (checks:disable)")
    assert f"{app}_v2.web.1" not in host.containers(app, every=True)  # v1 may still drain
    assert host.get(host.url_host(app)) == (200, "alone")
    repo.commit(**web("broken", command="exit 1"))
    refused = repo.push(ok=False)
    said_once(refused.stderr, "v4 failed while waiting for web.1; v3 is live again")
    wait_for(lambda: host.get(host.url_host(app)) == (200, "alone"), 5)
    host.ssh("checks:enable", app)
    assert host.ssh("checks:report", app, "--checks-disabled-list").stdout == "\n"


def test_how_a_failure_reads(host, app, repo):
    repo.push()
    repo.commit(**web("new", command="for n in $(seq 30); do echo line $n; done; exit 137"))
    refused = repo.push(ok=False)
    lines = [
        line.removeprefix("remote: ").rstrip() for line in refused.stderr.splitlines() if line.startswith("remote: ")
    ]
    assert sum(line.strip().startswith("line ") for line in lines) == 20 and lines.count("         line 30") == 1
    said_once(
        refused.stderr,
        "the last lines of",
        "v2 failed while waiting for web.1; v1 is still live",
        "web stopped at once with exit code 137: it was killed",
        f"logs:failed {app}",
    )
    order = [refused.stderr.index(part) for part in ("the last lines of", "v2 failed", "exit code 137", "logs:failed")]
    assert order == sorted(order)


# -- tasks ---------------------------------------------------------------------------------------------------------


def test_tasks_before_and_after(host, app, repo):
    scripts = {
        "postdeploy": "echo only once",
        "dokku": {"predeploy": "echo migrating $PORT", "postdeploy": "echo telling; exit 4"},
    }
    repo.commit(app__json=json.dumps({"scripts": scripts}), Procfile=f"web: {SERVE}\nrelease: echo the release task\n")
    first = repo.push().stderr
    order = [
        first.index(part)
        for part in (
            "migrating 5000",
            "        the release task",
            "Starting web.1",
            "only once",
            "telling",
            "v1 is live",
        )
    ]
    assert order == sorted(order)
    said_once(first, "the postdeploy script ended with exit code 4; v1")
    assert releases(host, app)[0]["status"] == "live"
    repo.commit(www___index__html="two")
    second = repo.push().stderr
    assert "only once" not in second and "telling" in second
    repo.commit(
        app__json=json.dumps({"scripts": {"dokku": {"predeploy": "echo no luck; exit 9"}}}), www___index__html="three"
    )
    refused = repo.push(ok=False)
    said_once(refused.stderr, "       no luck", "v3 failed in the predeploy script; v2 is still live", "exit code 9")
    assert "no luck" in host.ssh("logs:failed", app).stdout and "Starting" not in refused.stderr
    assert host.get(host.url_host(app)) == (200, "two")
    assert host.containers(app) == [name for name in host.containers(app) if "web" in name]


# -- drain ---------------------------------------------------------------------------------------------------------


def test_a_slow_request_crosses_the_switch(host, app, repo):
    repo.commit(**{"www___cgi-bin___slow": SLOW})
    repo.push()
    name, answers = host.url_host(app), []
    thread = threading.Thread(target=lambda: answers.append(host.get(name, "/cgi-bin/slow", timeout=60)))
    thread.start()
    time.sleep(1)
    repo.commit(www___index__html="new")
    repo.push()
    assert host.get(name) == (200, "new") and answers == []
    thread.join(30)
    assert answers == [(200, "slow but whole\n")]


def test_a_websocket_is_kept_until_wait_to_retire(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "8")
    server = {
        "Dockerfile": (
            f'FROM {BUSYBOX_IMAGE}\nCOPY handle /handle\nCMD ["sh", "-c", "exec nc -ll -p $PORT -e /handle"]\n'
        ),
        "handle": HANDLER,
    }
    repo.commit(**server)
    repo.push()
    name = host.url_host(app)
    with socket.create_connection(("127.0.0.1", 80), timeout=40) as client:
        client.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode()
        )
        reader = client.makefile("rb")
        assert b"101" in reader.readline()
        repo.commit(other="x")
        repo.push()
        switched = time.monotonic()
        assert host.get(name) == (200, "hello")
        while line := reader.readline():  # ends when the old process does
            last = time.monotonic()
        assert line == b"" and 4 < last - switched < 20
    wait_for(lambda: host.containers(app, every=True) == [f"{app}_v2.web.1"], 20)


def test_who_ignores_sigterm_is_killed_after_stop_timeout_and_a_removed_type_goes(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "0")
    host.ssh("ps:set", app, "stop-timeout", "3")
    host.ssh("ps:scale", app, "deaf=1")
    repo.commit(Procfile=f"web: {SERVE}\ndeaf: trap '' TERM; while true; do sleep 1; done\n")
    repo.push()
    repo.commit(Procfile=f"web: {SERVE}\n")
    repo.push()
    begun = time.monotonic()
    wait_for(lambda: host.containers(app, every=True) == [f"{app}_v2.web.1"], 20)
    assert time.monotonic() - begun > 1.5


# -- after traffic -------------------------------------------------------------------------------------------------


@pytest.mark.serial
def test_a_crash_while_the_old_drains_brings_it_back_unnoticed(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("ps:scale", app, "worker=1")
    repo.commit(Procfile=f"web: {SERVE}\nworker: while true; do sleep 1; done\n")
    repo.push()
    name = host.url_host(app)
    repo.commit(
        Procfile=(
            "web: httpd -p $PORT -h /www; echo about to fall; sleep 6; exit 7\nworker: while true; do sleep 1; done\n"
        ),
        www___index__html="new",
    )
    repo.push()
    assert host.get(name) == (200, "new")
    wait_for(lambda: host.get(name)[1] == "hello from " + app, 30)
    with Load(host, name).running() as load:
        wait_for(lambda: host.containers(app, every=True) == [f"{app}_v1.web.1", f"{app}_v1.worker.1"], 30)
        time.sleep(2)
    assert load.failed == []
    newest, before = releases(host, app)
    assert (newest["v"], newest["status"], before["status"]) == (
        "v2",
        "failed",
        "live",
    ) and "after it went live" in newest["reason"]
    kept = host.ssh("logs:failed", app).stdout
    assert "after it went live" in kept and "about to fall" in kept and "v1 is live again" in kept
    repo.commit(Procfile=f"web: {SERVE}\n", www___index__html="mended")
    repo.push()
    assert host.get(name) == (200, "mended")


@pytest.mark.serial
def test_a_worker_that_keeps_crashing_while_the_old_web_drains_brings_the_old_release_back(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("ps:scale", app, "worker=1")
    repo.commit(Procfile=f"web: {SERVE}\nworker: while true; do sleep 1; done\n")
    repo.push()
    name = host.url_host(app)
    repo.commit(Procfile=f"web: {SERVE}\nworker: sleep 2; exit 7\n", www___index__html="new")
    repo.push()
    assert host.get(name) == (200, "new")
    with Load(host, name).running() as load:
        wait_for(lambda: host.containers(app, every=True) == [f"{app}_v1.web.1", f"{app}_v1.worker.1"], 40)
    assert load.failed == [] and host.get(name) == (200, "hello from " + app)
    assert "worker.1 crashed" in releases(host, app)[0]["reason"]


@pytest.mark.parametrize("image", ["shell", "no shell, not root"])
def test_a_process_that_hangs_is_back_in_time(host, app, repo, image):
    alive = {"type": "liveness", "path": "/index.html", "content": "hello", "attempts": 2, "timeout": 1, "wait": 1}
    repo.commit(app__json=checks(web=[alive]), **({"Dockerfile": SHELL_LESS} if image != "shell" else {}))
    repo.push()
    name, container = host.url_host(app), f"{app}_v1.web.1"
    wait_for(lambda: docker("inspect", "--format", "{{.State.Health.Status}}", container).strip() == "healthy", 20)
    since = ("inspect", "--format", "{{.State.StartedAt}}", container)
    started = docker(*since)
    os.kill(main_pid(container), signal.SIGSTOP)
    hung = time.monotonic()

    def back():
        return docker(*since) != started and answers(host, name)

    wait_for(back, 20)
    print(f"back after {time.monotonic() - hung:.1f} s")
    assert host.get(name) == (200, "hello from " + app)
    again = docker(*since)
    time.sleep(4)
    assert docker(*since) == again, "it was started once"


def answers(host, name: str) -> bool:
    try:
        return host.get(name, timeout=1)[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_without_liveness_in_app_json_there_is_no_healthcheck(host, app, repo):
    repo.push()
    assert docker("inspect", "--format", "{{json .Config.Healthcheck}}", f"{app}_v1.web.1").strip() == "null"
