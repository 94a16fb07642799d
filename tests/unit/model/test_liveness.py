"""The health command, run by a real busybox where there is one, with its tool and its mark put elsewhere."""

import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib.model import liveness
from minipaas_lib.model.healthcheck import Check

BUSYBOX = "/bin/busybox"
needs_busybox = pytest.mark.skipif(not os.path.exists(BUSYBOX), reason="no busybox here")


def check(kind="path", **more) -> Check:
    return Check(
        "liveness",
        "up",
        kind,
        **({"path": "/up"} if kind == "path" else {}) | {"attempts": 2, "timeout": 1, "wait": 1} | more,
    )


def run(tmp_path, checks: list[Check], port: int, alive_before: bool) -> str:
    """What the command does: "alive", "kill" or "waits"."""
    mark = tmp_path / "mark"
    if alive_before:
        mark.touch()
    script = liveness.healthcheck(checks, port).command[3]
    script = script.replace(liveness.TOOL, BUSYBOX).replace(liveness.MARK, str(mark)).replace("kill -9 -1", "exit 77")
    script = re.sub(r"-ge \d+ ", "-ge 999999999 ", script)  # this host's own process 1 is older than any grace
    code = subprocess.run([BUSYBOX, "sh", "-c", script], capture_output=True, timeout=30).returncode
    assert mark.exists() == (alive_before or code == 0)
    return {0: "alive", 77: "kill", 1: "waits"}[code]


def test_none_without_checks():
    assert liveness.healthcheck([], 5000) is None


def test_numbers():
    health = liveness.healthcheck([check(attempts=5, timeout=2.5, wait=4, initial_delay=90)], 5000)
    assert (health.interval, health.grace) == (4, 90) and health.timeout >= 5 * (2.5 + 4)
    assert liveness.healthcheck([check(wait=0)], 5000).interval == 1
    assert health.command[:3] == (liveness.TOOL, "sh", "-c")


@needs_busybox
def test_command(tmp_path):
    fine, broken = check("command", command=("true",)), check("command", command=("sh", "-c", "exit '3'"))
    assert run(tmp_path, [broken], 1, alive_before=False) == "waits"
    assert run(tmp_path, [fine], 1, alive_before=False) == "alive"
    assert run(tmp_path, [fine, broken], 1, alive_before=True) == "kill"
    assert run(tmp_path, [check("command", command=("sleep", "60"))], 1, alive_before=True) == "kill"


@needs_busybox
def test_http_and_listening(tmp_path):
    seen = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("X-It's")))
            self.send_response(200 if self.path == "/up" else 500)
            self.end_headers()
            self.wfile.write(b"it's $fine\n")

        def log_message(self, *words):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert run(tmp_path, [check(headers=(("X-It's", "a 'b' $c"),), content="it's $fine")], port, False) == "alive"
        assert seen == [("/up", "a 'b' $c")]
        assert run(tmp_path, [check(content="else")], port, True) == "kill"
        assert run(tmp_path, [check(path="/down")], port, True) == "kill"
        assert run(tmp_path, [check("listening")], port, True) == "alive"
        assert run(tmp_path, [check("listening", port=1)], port, True) == "kill"
    finally:
        server.shutdown()
        server.server_close()


@needs_busybox
@given(
    word=st.text(
        st.characters(min_codepoint=9, max_codepoint=126).filter(lambda c: c in "\t\n" or c >= " "), max_size=40
    )
)
def test_no_word_leaves_its_quotes(word):
    script = liveness.healthcheck([check("command", command=("echo", word)), check(content=word or "x")], 5000).command[
        3
    ]
    assert subprocess.run([BUSYBOX, "sh", "-n", "-c", script], capture_output=True).returncode == 0


@pytest.mark.parametrize(("seconds", "word"), [(0.2, "1"), (1, "1"), (1.2, "2"), (2, "2"), (30.0, "30")])
def test_times_are_whole_seconds_and_never_shorter(seconds, word):
    made = liveness.healthcheck([Check("liveness", "up", "path", path="/", timeout=seconds, wait=seconds)], 80)
    assert f"timeout -s KILL {word} " in made.command[3] and f"try 3 {word} c0" in made.command[3]


def test_docker_waits_for_all_attempts_of_all_checks():
    checks = [Check("liveness", name, "path", path="/", attempts=2, timeout=3, wait=4) for name in ("a", "b")]
    made = liveness.healthcheck(checks, 80)
    assert made.timeout == 2 * 2 * (3 + 4) + 30 and made.interval == 4
