"""The process of a head that follows the routes."""

from plugins.cluster.head import follower_process


def test_who_follows_is_known_by_a_lock(tmp_path, monkeypatch):
    import fcntl

    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    assert not follower_process.is_running()
    (tmp_path / "cache").mkdir()
    assert not follower_process.is_running()
    with open(tmp_path / "cache" / follower_process.LOCK, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert follower_process.is_running()
    assert not follower_process.is_running()


def test_a_follower_takes_nothing_of_the_caller_with_it(monkeypatch):
    import os

    began = []
    monkeypatch.setattr(os, "execve", lambda program, words, environment: began.append((words, environment)))
    for name in ("MINIPAAS_KEY", "GIT_DIR", "SSH_ORIGINAL_COMMAND"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("MINIPAAS_ROOT", "/root-folder")
    monkeypatch.setenv("MINIPAAS_PROGRAM", "/program")
    follower_process._become()
    ((words, environment),) = began
    assert words == ["/program", "node:follow", "--serve"] and environment["MINIPAAS_ROOT"] == "/root-folder"
    assert not environment.keys() & {"MINIPAAS_KEY", "GIT_DIR", "SSH_ORIGINAL_COMMAND"}
