import os

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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_child_gives_up_the_way_back_to_root():
    child = os.fork()
    if child == 0:
        os.setresuid(65534, 65534, 0)
        paths.forget_caller()
        os._exit(0 if os.getresuid() == (65534,) * 3 else 1)
    assert os.waitpid(child, 0)[1] == 0
