"""The plan of a build, the choice of a client, and how a running client is ended; no docker is needed."""

import dataclasses
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, errors
from plugins.builder_dockerfile import build, client, hooks, job


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


DOCKER, CLASSIC = client.Client("/usr/bin/docker", True), client.Client("/usr/bin/docker", False)
JOB = job.Job("blog", 3, "abc", "/w/c", "a/Dockerfile", args={"TOKEN": "s3cret"}, namespace="of-blog")


def test_no_value_of_a_build_argument_stands_in_the_command_line(monkeypatch):
    monkeypatch.setenv("GIT_DIR", ".")
    monkeypatch.setenv("BUILDKIT_PROGRESS", "tty")
    assert job.command_line(DOCKER, JOB, "/w/s") == [
        "/usr/bin/docker",
        "build",
        "--progress=plain",
        "--tag",
        "minipaas/blog:v3",
        "--iidfile",
        "/w/s/image",
        "--file",
        "/w/s/dockerfile/Dockerfile",
        "--label",
        "minipaas.app=blog",
        "--label",
        "minipaas.commit=abc",
        "--build-arg",
        "TOKEN",
        "--build-arg",
        "BUILDKIT_CACHE_MOUNT_NS=of-blog",
        "/w/c",
    ]
    env = job.environment(DOCKER, JOB)
    assert env["TOKEN"] == "s3cret" and env["DOCKER_BUILDKIT"] == "1"
    assert "GIT_DIR" not in env and "BUILDKIT_PROGRESS" not in env


def test_secrets_travel_under_names_of_ours_and_in_no_argument():
    private = dataclasses.replace(JOB, docker_config="/c")
    assert job.command_line(client.Client("/usr/bin/docker", True), private, "/w/s")[:5] == [
        "/usr/bin/docker",
        "--config",
        "/c",
        "build",
        "--progress=plain",
    ]
    secret = dataclasses.replace(
        JOB, args={}, secrets={"DOCKER_HOST": "tcp://evil", "A": "hidden-a"}, target="release", no_cache=True, ca="PEM"
    )
    command, env = job.command_line(DOCKER, secret, "/w/s"), job.environment(DOCKER, secret)
    assert ["--secret", "id=A,env=MINIPAAS_SECRET_0", "--secret", "id=DOCKER_HOST,env=MINIPAAS_SECRET_1"] == command[
        -7:-3
    ]
    assert command[-3:-1] == ["--secret", "id=minipaas-ca,src=/w/s/ca.pem"]
    assert "--no-cache" in command and command[command.index("--target") + 1] == "release"
    assert env["MINIPAAS_SECRET_0"] == "hidden-a" and env["MINIPAAS_SECRET_1"] == "tcp://evil"
    assert env.get("DOCKER_HOST") == os.environ.get("DOCKER_HOST")
    assert "evil" not in " ".join(command) and "hidden-a" not in repr(secret)


def test_without_buildkit_secrets_are_refused_and_the_rest_goes_without(tmp_path, capsys):
    plain = dataclasses.replace(JOB, context=str(tmp_path), ca="PEM")
    job.check(CLASSIC, plain)
    assert "classic builder" in (said := capsys.readouterr().err) and "certificates" in said
    assert "--secret" not in job.command_line(CLASSIC, plain, "/w/s")
    with pytest.raises(errors.BuildFailed, match="secrets of builds need BuildKit"):
        job.check(CLASSIC, dataclasses.replace(plain, secrets={"A": "x"}))
    (tmp_path / ".dockerignore").symlink_to("/etc/shadow")
    with pytest.raises(errors.InvalidFile, match="symbolic link"):
        job.check(CLASSIC, plain)


def test_a_secret_that_the_config_has_not_is_told(tmp_path):
    app = api.App("blog", {"config": {"A": "1"}, "builder-dockerfile": {"secrets": ["A", "B"]}})
    with pytest.raises(errors.BuildFailed, match="blog has no config B"):
        job.job_of(app, str(tmp_path), "abc", 3, b"")


def test_settings_of_builds_come_beneath_the_apps_own_arguments(monkeypatch):
    document = {
        "config": {"HTTP_PROXY": "http://mine:1"},
        "builder-dockerfile": {"build-args": ["HTTP_PROXY"]},
        "builder": {"http-proxy": "http://theirs:1", "npm-registry": "https://npm.test/"},
    }
    made = job.job_of(api.App("blog", document), "/w/c", "abc", 3, b"")
    assert made.args == {
        "HTTP_PROXY": "http://mine:1",
        "http_proxy": "http://theirs:1",
        "NPM_CONFIG_REGISTRY": "https://npm.test/",
    }
    monkeypatch.setattr(api, "build_settings", lambda app: {"environment": {"LD_PRELOAD": "x", "A": "1"}, "ca": ""})
    assert job.job_of(api.App("blog", {}), "/w/c", "abc", 3, b"").args == {"A": "1"}


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r*"), min_size=6).filter(
        lambda text: len(text.strip()) >= 6
    ),
    st.text(),
)
def test_a_secret_is_hidden_wherever_it_stands(secret, around):
    hide = job.hider(dataclasses.replace(JOB, args={}, secrets={"A": f"{secret}\nsecond-line"}))
    lines = secret.split("\n")
    if len(lines) == 1:
        assert secret.strip() not in hide(around.replace(secret.strip(), "") + secret)
    assert "second-line" not in hide("xsecond-linex")


def test_the_password_of_a_proxy_is_hidden_and_short_words_are_not():
    hide = job.hider(dataclasses.replace(JOB, args={"HTTP_PROXY": "http://user:geheim@proxy:1"}, secrets={"A": "on"}))
    assert hide("env HTTP_PROXY=http://user:geheim@proxy:1 on") == "env HTTP_PROXY=http://***@proxy:1 on"


def test_a_build_that_takes_too_long_is_ended():
    script = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(errors.BuildFailed, match="took more than"):
        build.stream(script, dict(os.environ), lambda line: None, timeout=0.3)


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


def test_a_secret_is_hidden_whole_whatever_ends_a_line_elsewhere():
    hide = job.hider(dataclasses.replace(JOB, args={}, secrets={"A": "abc\x1cdef\u2028ghi"}))
    assert hide("it is abc\x1cdef\u2028ghi") == "it is ***"


def test_no_argument_of_a_user_steers_buildkit(monkeypatch):
    """Not even one that a document of an earlier version names."""
    document = {
        "config": {"BUILDKIT_SYNTAX": "evil", "A": "1"},
        "builder-dockerfile": {"build-args": ["A", "BUILDKIT_SYNTAX"]},
    }
    made = job.job_of(api.App("blog", document), "/w/c", "abc", 3, b"# syntax=docker/dockerfile:1\nFROM x\n")
    assert made.args == {"A": "1"}
    command = job.command_line(DOCKER, made, "/w/s")
    assert "BUILDKIT_SYNTAX=docker/dockerfile:1" in command and "evil" not in " ".join(command)
    assert not [word for word in job.command_line(CLASSIC, made, "/w/s") if "BUILDKIT" in word]


def test_what_buildkit_takes_up_is_looked_at_before_secrets_are_hidden(tmp_path, monkeypatch):
    """Else a secret of that very name would hide another app's image."""
    monkeypatch.setattr(client, "find", lambda: DOCKER)
    seen = []
    monkeypatch.setattr(build.foreign.Watch, "before", lambda self: None)
    monkeypatch.setattr(build.foreign.Watch, "line", lambda self, line: seen.append(line))
    monkeypatch.setattr(
        build,
        "stream",
        lambda command, env, feed, timeout: feed("#3 [internal] load metadata for docker.io/minipaas/victim:v1") or 1,
    )
    with pytest.raises(errors.BuildFailed):
        build.build(dataclasses.replace(JOB, context=str(tmp_path), secrets={"A": "minipaas/victim"}))
    assert seen == ["#3 [internal] load metadata for docker.io/minipaas/victim:v1"]
    assert os.listdir(api.paths.work()) == []
