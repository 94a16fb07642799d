"""Long commands, read line by line, that end with whoever waits for them."""

import os
import signal
import sys
import time

import pytest

from minipaas_lib import errors
from minipaas_lib.toolkit import streamed_command
from tests.sampling import HOUSE


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def wait_until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_ended(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_gives_whole_lines_and_the_status():
    lines = []
    script = "import sys; sys.stdout.write('a\\nb'); sys.stdout.flush(); sys.stderr.write('c\\nd'); sys.exit(3)"
    assert streamed_command.run(python(script), lines.append, 10) == 3
    assert lines == ["a", "bc", "d"]


def test_it_holds_no_endless_line():
    lines = []
    assert streamed_command.run(python("print('x' * 10_000_000)"), lines.append, 30) == 0
    assert sum(map(len, lines)) == 10_000_000 and max(map(len, lines)) < 200_000


def test_the_environment_is_what_was_given():
    lines = []
    words = [sys.executable, "-c", "import os; print(sorted(set(os.environ) & {'A', 'HOME'}))"]
    assert streamed_command.run(words, lines.append, 10, {"A": "1"}) == 0
    assert lines == ["['A']"]


@pytest.mark.parametrize("error", [errors.Cancelled("the client hung up"), KeyboardInterrupt(), BrokenPipeError()])
def test_whatever_is_raised_ends_the_command_first(error):
    pids = []

    def fail(line):
        pids.append(line)
        raise error

    with pytest.raises(type(error)):
        streamed_command.run(python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"), fail, 60)
    assert has_ended(pids[0])


@pytest.mark.parametrize("script", ["import time; time.sleep(60)", "while True: print('x')"])
def test_what_takes_too_long_is_ended(script):
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        streamed_command.run(python(script), lambda line: None, 0.3)
    assert time.monotonic() - started < 5


def test_what_does_not_end_when_told_to_is_killed(monkeypatch):
    monkeypatch.setattr(streamed_command, "_STOP_TIMEOUT", 0.2)
    pids = []
    script = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print(os.getpid(), flush=True); time.sleep(60)"
    )
    with pytest.raises(TimeoutError):
        streamed_command.run(python(script), pids.append, 1)
    assert has_ended(pids[0])


@pytest.mark.skipif(not os.access("/usr/bin/setpriv", os.X_OK), reason="no setpriv")
def test_it_ends_when_we_are_killed(tmp_path):
    note = tmp_path / "pid"
    inner = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    outer = (
        f"import sys; sys.path.insert(0, {str(HOUSE)!r}); from minipaas_lib.toolkit import streamed_command;"
        f" streamed_command.run([sys.executable, '-c', {inner!r}], print, 60)"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, python(outer))
    wait_until(lambda: note.exists() and note.read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_until(lambda: has_ended(note.read_text()))
