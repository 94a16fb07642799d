"""Programs of the host that are run by `sh`: what they see, how long they have, and that nothing of them stays."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from minipaas_lib import errors, programs


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_what_a_program_prints_comes_back_as_it_is():
    assert programs.run("printf", r"a\nb\r\n\t\377 ") == "a\nb\r\n\t\ufffd "
    assert programs.run("seq", "100000").count("\n") == 100000
    assert programs.run("cat", input="größer\n") == "größer\n"
    assert programs.run("cat", input=b"\xff") == "\ufffd"


def test_it_has_no_terminal_and_nothing_to_read():
    assert programs.run("sh", "-c", "for n in 0 1 2; do ! [ -t $n ] && echo $n; done; cat") == "0\n1\n2\n"


def test_it_gets_the_environment_that_is_named():
    assert programs.run("/usr/bin/env", environment={"A": "b c"}) == "A=b c\n"


def test_a_program_that_fails():
    with pytest.raises(programs.Failed, match="^sh failed: no such thing$") as caught:
        programs.run("sh", "-c", "echo out; echo first >&2; echo 'no such thing' >&2; exit 3")
    assert (caught.value.status, caught.value.out, caught.value.err) == (3, "out\n", "first\nno such thing\n")
    with pytest.raises(programs.Failed, match="^sh failed: it said nothing$") as caught:
        programs.run("sh", "-c", "kill -9 $$")
    assert caught.value.status == -signal.SIGKILL
    with pytest.raises(programs.Failed) as caught:
        programs.run("sh", "-c", "yes no | head -c 100000 >&2; printf '\\n\\033[2J\\n' >&2; exit 1")
    assert caught.value.message == "sh failed: \\x1b[2J" and len(caught.value.err) > 100000, "nothing of it is cut"


def test_a_program_that_is_not_there():
    with pytest.raises(errors.Unavailable, match="^no-such-program is not installed on this host$"):
        programs.run("no-such-program", "x")
    with pytest.raises(errors.Unavailable, match="^docker is not installed on this host") as caught:
        programs.run("/no/such/docker")
    assert caught.value.hint == "on the host: sudo apt-get install docker.io"


def test_all_of_a_program_is_killed_that_takes_too_long(tmp_path):
    began = time.monotonic()
    with pytest.raises(errors.Unavailable, match="^sh did not finish within 1 second$"):
        programs.run("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; trap '' TERM HUP; wait", timeout=1)
    assert time.monotonic() - began < 10 and gone(int((tmp_path / "pid").read_text()))


def test_all_of_it_is_killed_where_we_are_interrupted(tmp_path):
    class Hangup(BaseException):
        pass

    def interrupt(*_):
        raise Hangup

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(Hangup):
            programs.run("sh", "-c", f"sleep 60 & echo $! $$ > {tmp_path}/pids; wait")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert all(gone(int(pid)) for pid in (tmp_path / "pids").read_text().split())


def test_it_inherits_no_file_of_ours(tmp_path):
    with open(tmp_path / "secret", "w") as file:
        os.set_inheritable(file.fileno(), True)
        assert "secret" not in programs.run("sh", "-c", "ls -l /proc/self/fd")


def test_nothing_but_a_call_imports_sh():
    code = "import sys; from minipaas_lib import programs; print('sh' in sys.modules, 'subprocess' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


def test_no_thread_is_left():
    """Of the tests above neither."""
    with contextlib.suppress(programs.Failed):
        programs.run("false")
    end = time.monotonic() + 5
    while any("pid" in thread.name for thread in threading.enumerate()) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [thread.name for thread in threading.enumerate() if "pid" in thread.name]
