import os

from minipaas_lib import main


def test_a_command_runs_from_a_folder_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert main.here() == str(gone)
    gone.rmdir()
    assert main.here() == "/"
    os.chdir(tmp_path)
