"""A client that goes away cancels what has not moved traffic yet."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DEPLOY = """
import sys, time
from minipaas_lib import errors, output
from minipaas_lib.journal import cancellation
try:
    with cancellation.cancellable():
        if "final" in sys.argv: cancellation.no_way_back()
        output.step("begun")
        end = time.monotonic() + 4
        while time.monotonic() < end:
            if "talks" in sys.argv: output.info("x" * 500)
            time.sleep(0.001)
    said = "finished"
except errors.Cancelled:
    output.info("y" * 200000)  # more than a pipe holds
    said = "cancelled"
open(sys.argv[1], "w").write(said)
"""
# git-receive-pack waits for its hook and keeps the hook's stderr open, whatever becomes of its own parent.
RECEIVE_PACK = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
SSHD = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


def end_of(result: Path) -> str:
    end = time.monotonic() + 15
    while not result.exists() or not result.read_text():
        assert time.monotonic() < end, "it never ended"
        time.sleep(0.05)
    return result.read_text()


@pytest.mark.parametrize(("words", "said"), [([], "cancelled"), (["talks"], "cancelled"), (["final"], "finished")])
def test_the_hook_of_a_push_notices_that_the_client_has_gone(tmp_path, words, said):
    result = tmp_path / "result"
    read, write = os.pipe()
    sshd = subprocess.Popen(
        [sys.executable, "-c", SSHD, RECEIVE_PACK, DEPLOY, str(result), *words],
        stderr=write,
        cwd=ROOT,
        env=os.environ | {"GIT_QUARANTINE_PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
    )
    os.close(write)
    try:
        assert os.read(read, 13) == b"-----> begun\n"
        sshd.send_signal(signal.SIGKILL)
        sshd.wait()
        assert end_of(result) == said  # the pipe is still open here, and nobody reads it
    finally:
        os.close(read)


@pytest.mark.parametrize(("words", "said"), [([], "cancelled"), (["final"], "finished")])
def test_a_command_notices_that_nobody_reads_it(tmp_path, words, said):
    result = tmp_path / "result"
    command = [sys.executable, "-c", DEPLOY, str(result), *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, env=environment | {"PYTHONPATH": str(ROOT)})
    assert running.stderr.readline() == b"-----> begun\n"
    running.stderr.close()
    assert running.wait(15) == 0 and end_of(result) == said
