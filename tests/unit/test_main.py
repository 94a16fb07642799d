import os
import subprocess
import sys

import pytest

from minipaas_lib import main, paths


def test_a_command_runs_from_a_folder_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert main.here() == str(gone)
    gone.rmdir()
    assert main.here() == "/"
    os.chdir(tmp_path)


def test_root_stays_root_for_a_command_after_trace_too(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for typed in (["plugin:install", "x"], ["--trace", "plugin:install", "x"]):
        assert main.stays_root(typed)
    for typed in (["--trace", "apps:list"], ["--trace"], ["-a"], ["-a", "plugin:install"], []):
        assert not main.stays_root(typed)


def test_install_in_a_checkout_says_what_to_type(capsys):
    assert main.main(["install"]) == 2
    assert "sudo " + os.path.join(paths.source(), "install.sh") in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_child_gives_up_the_way_back_to_root():
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 0)
        paths.forget_caller()
        os._exit(0 if os.getresuid() == (65534,) * 3 else 1)
    assert os.waitpid(child, 0)[1] == 0


def end_of(code: str, **how) -> subprocess.CompletedProcess:
    """A process that runs main.program() with a main() of the test's."""
    text = f"import os, sys\nfrom minipaas_lib import main\n{code}\nmain.main = ours\nmain.program()\n"
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return subprocess.run([sys.executable, "-c", text], text=True, timeout=60, env=buffered, **how)


def test_the_program_ends_at_once_with_what_it_has_said():
    said = "print('x' * 100_000); sys.stderr.write('e'); import atexit; atexit.register(print, 'late')"
    done = end_of(f"def ours():\n    {said}\n    return 75", capture_output=True)
    assert (done.returncode, done.stderr) == (75, "e")
    assert done.stdout == "x" * 100_000 + "\n", "all of it, and nothing was taken apart"


def test_output_that_nobody_reads_is_a_failure_and_no_traceback():
    read, write = os.pipe()
    os.close(read)
    done = end_of("def ours():\n    print('x')\n    return 0", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
