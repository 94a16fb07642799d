"""The plan of a build, the choice of a client, and how a running client is ended; no docker is needed."""

import os
import signal
import sys
import time

import pytest

from minipaas_lib import api, errors
from plugins.builder_dockerfile import build, client, hooks


def fake_docker(folder, version, buildx=False):
    """A docker client that only knows its version and counts how often it is asked."""
    folder.mkdir(exist_ok=True)
    path = folder / "docker"
    answer = "echo github.com/docker/buildx v0.11" if buildx else "exit 1"
    path.write_text(
        f'#!/bin/sh\necho "$*" >> {folder}/asked\ncase "$1" in\n'
        f'--version) echo "Docker version {version}, build x";;\n*) {answer};;\nesac\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))


@pytest.mark.parametrize(
    "version, buildx, can",
    [
        ("20.10.24+dfsg1", False, True),
        ("22.06.0", False, True),
        ("28.2.2", False, False),
        ("28.2.2", True, True),
        ("x", True, False),
    ],
)
def test_a_client_is_asked_once_whether_it_has_buildkit(tmp_path, monkeypatch, version, buildx, can):
    path = fake_docker(tmp_path / "bin", version, buildx)
    monkeypatch.setattr(client, "candidates", lambda _: [path])
    assert client.find() == client.Client(path, can)
    asked = (tmp_path / "bin" / "asked").read_text()
    assert client.find() == client.Client(path, can)
    assert (tmp_path / "bin" / "asked").read_text() == asked


def test_a_client_is_asked_again_when_it_or_its_plugin_changed(tmp_path, monkeypatch):
    path = fake_docker(tmp_path / "bin", "28.2.2")
    monkeypatch.setattr(client, "candidates", lambda _: [path])
    assert not client.find().buildkit
    (tmp_path / "config" / "cli-plugins").mkdir(parents=True)
    (tmp_path / "config" / "cli-plugins" / "docker-buildx").write_text("x")
    fake_docker(tmp_path / "bin", "28.2.2", buildx=True)
    assert client.find().buildkit
    fake_docker(tmp_path / "bin", "20.10.24.")
    assert client.find().buildkit


def test_a_client_with_buildkit_goes_before_one_without(tmp_path, monkeypatch):
    new, old = fake_docker(tmp_path / "a", "28.2.2"), fake_docker(tmp_path / "b", "20.10.1")
    monkeypatch.setattr(client, "candidates", lambda _: [new, old])
    assert client.find() == client.Client(old, True)
    monkeypatch.setattr(client, "candidates", lambda _: [])
    with pytest.raises(errors.Unavailable):
        client.find()


def test_candidates_are_absolute_and_each_once(tmp_path):
    path = fake_docker(tmp_path / "bin", "28.2.2")
    found = client.candidates(f":.:relative:{tmp_path}/bin:/nonexistent:{tmp_path}/bin")
    assert found[-1] == path and found.count(path) == 1
    assert all(os.path.isabs(file) for file in found)


def test_no_value_of_a_build_argument_stands_in_the_command_line(monkeypatch):
    monkeypatch.setenv("GIT_DIR", ".")
    monkeypatch.setenv("BUILDKIT_PROGRESS", "tty")
    docker = client.Client("/usr/bin/docker", True)
    command = build.command_line(docker, "blog", "minipaas/blog:v3", "/w/c", "a/Dockerfile", "abc", ["TOKEN"])
    assert command == [
        "/usr/bin/docker", "build", "--progress=plain", "--tag", "minipaas/blog:v3", "--iidfile", "/w/c.iid", "--file",
        "/w/c/a/Dockerfile", "--label", "minipaas.app=blog", "--label", "minipaas.commit=abc", "--build-arg", "TOKEN",
        "/w/c",
    ]  # fmt: skip
    env = build.environment(docker, {"TOKEN": "s3cret"})
    assert env["TOKEN"] == "s3cret" and env["DOCKER_BUILDKIT"] == "1"
    assert "GIT_DIR" not in env and "BUILDKIT_PROGRESS" not in env


def python(script):
    return [sys.executable, "-c", script]


def test_stream_gives_whole_lines_and_the_status():
    lines = []
    script = "import sys; sys.stdout.write('a\\nb'); sys.stdout.flush(); sys.stderr.write('c\\nd'); sys.exit(3)"
    assert build.stream(python(script), dict(os.environ), lines.append) == 3
    assert lines == ["a", "bc", "d"]


def test_stream_holds_no_endless_line():
    lines = []
    assert build.stream(python("print('x' * 10_000_000)"), dict(os.environ), lines.append) == 0
    assert sum(map(len, lines)) == 10_000_000 and max(map(len, lines)) < 200_000


@pytest.mark.parametrize("error", [errors.Cancelled("the client hung up"), KeyboardInterrupt(), BrokenPipeError()])
def test_whatever_is_raised_ends_the_client_first(error):
    pids = []

    def feed(line):
        pids.append(int(line))
        raise error

    with pytest.raises(type(error)):
        build.stream(python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"), dict(os.environ), feed)
    assert not os.path.exists(f"/proc/{pids[0]}")


@pytest.mark.parametrize("script", ["import time; time.sleep(60)", "while True: print('x')"])
def test_a_build_that_takes_too_long_is_ended(script):
    started = time.monotonic()
    with pytest.raises(errors.BuildFailed, match="took more than"):
        build.stream(python(script), dict(os.environ), lambda line: None, timeout=0.3)
    assert time.monotonic() - started < 5


@pytest.mark.skipif(not os.access("/usr/bin/setpriv", os.X_OK), reason="no setpriv")
def test_the_client_ends_when_we_are_killed(tmp_path):
    note = tmp_path / "pid"
    inner = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    root = os.path.dirname(os.path.dirname(os.path.abspath(api.__file__)))
    outer = (
        f"import os, sys; sys.path.insert(0, {root!r}); from plugins.builder_dockerfile import build;"
        f" build.stream([sys.executable, '-c', {inner!r}], dict(os.environ), print)"
    )
    pid = os.spawnv(os.P_NOWAIT, sys.executable, python(outer))
    wait_until(lambda: note.exists() and note.read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_until(
        lambda: not os.path.exists(f"/proc/{note.read_text()}") or "Z" in open(f"/proc/{note.read_text()}/stat").read()
    )


def wait_until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_detect_builder(tmp_path):
    assert hooks.detect_builder(api.App("blog"), str(tmp_path)) is None
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert hooks.detect_builder(api.App("blog"), str(tmp_path)) == "dockerfile: there is a Dockerfile"
    app = api.App("blog", {"builder-dockerfile": {"dockerfile-path": "docker/Dockerfile"}})
    assert hooks.detect_builder(app, str(tmp_path)) == "dockerfile: builder-dockerfile:set names docker/Dockerfile"


def test_a_missing_dockerfile_at_the_path_that_was_set_is_said(tmp_path):
    app = api.App("blog", {"builder-dockerfile": {"dockerfile-path": "docker/Dockerfile"}})
    with pytest.raises(errors.BuildFailed, match="there is no docker/Dockerfile in commit 0123456789"):
        hooks.build_image(app, "dockerfile", str(tmp_path), "0123456789abcdef", 3)
    assert hooks.build_image(app, "buildpack", str(tmp_path), "0123456789abcdef", 3) is None


def test_a_dockerfile_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "Dockerfile").symlink_to("/etc/passwd")
    with pytest.raises(errors.InvalidFile, match="symbolic link"):
        hooks.detect_builder(api.App("blog"), str(tmp_path))
