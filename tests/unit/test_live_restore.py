"""install.sh's helper live-restore: what it makes of docker's settings, with a docker in memory."""

import importlib.util
import json
import os
from importlib.machinery import SourceFileLoader

import pytest
from hypothesis import given
from hypothesis import strategies as st

PATH = os.path.join(os.path.dirname(__file__), "../../minipaas_lib/install/live-restore")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=6,
)


def load():
    loader = SourceFileLoader("live_restore", PATH)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("live_restore", loader))
    loader.exec_module(module)
    return module


class Docker:
    """Reads its settings when it is told to, as dockerd does: a key that is not there leaves what was."""

    def __init__(self, path):
        self.path, self.enabled, self.swarm, self.stubborn, self.words = (
            str(path),
            False,
            "inactive",
            False,
            ["dockerd"],
        )

    def hear(self, pid, number):
        assert (pid, number) == (7, helper.signal.SIGHUP)
        settings = json.loads(open(self.path).read() or "{}") if os.path.exists(self.path) else {}
        if not self.stubborn:
            self.enabled = settings.get("live-restore", self.enabled)


helper = load()


@pytest.fixture
def docker(tmp_path, monkeypatch):
    made = Docker(tmp_path / "docker" / "daemon.json")
    monkeypatch.setattr(helper, "SETTINGS", made.path)
    monkeypatch.setattr(helper, "PATIENCE", 0.2)
    monkeypatch.setattr(helper, "asked", lambda: (made.enabled, made.swarm))
    monkeypatch.setattr(helper, "docker_pid", lambda: 7)
    monkeypatch.setattr(helper, "command_line", lambda pid: made.words)
    monkeypatch.setattr(helper.os, "kill", made.hear)
    made.run = lambda word: helper.main([word], str(tmp_path / "record"))
    made.record = tmp_path / "record"
    return made


def put(docker, text):
    os.makedirs(os.path.dirname(docker.path), exist_ok=True)
    with open(docker.path, "w") as file:
        file.write(text)


def text(docker):
    return open(docker.path).read() if os.path.exists(docker.path) else None


@pytest.mark.parametrize(
    "before",
    [None, "", " \n", "{}", '{"log-level":"warn",\n "dns": ["192.0.2.1"]}', '{"b": 1, "a": {"é": [1.5, null]}}'],
)
def test_on_and_off(docker, before):
    if before is not None:
        put(docker, before)
    assert docker.run("on") == 3 and docker.enabled
    settings = json.loads(text(docker))
    assert settings.pop("live-restore") is True and settings == helper.parsed(before)
    assert docker.run("on") == 0
    assert docker.run("off") == 3 and not docker.enabled
    assert text(docker) == before and not docker.record.exists()
    assert docker.run("off") == 0


def test_what_was_changed_meanwhile_stays(docker):
    put(docker, '{"dns": []}')
    docker.run("on")
    put(docker, json.dumps(json.loads(text(docker)) | {"dns": ["192.0.2.1"]}))
    assert docker.run("off") == 3 and json.loads(text(docker)) == {"dns": ["192.0.2.1"]}


@pytest.mark.parametrize("broken", ["{", "[]", '"live-restore"', "nul", '{"a": 1,}', "[" * 100_000])
def test_broken_settings_are_named_and_left_alone(docker, capsys, broken):
    put(docker, broken)
    assert docker.run("on") == 1 and docker.path in capsys.readouterr().out
    assert text(docker) == broken and not docker.record.exists()


def test_settings_that_are_no_text_are_left_alone(docker):
    put(docker, "")
    with open(docker.path, "wb") as file:
        file.write(b'{"a": "\xff"}')
    assert docker.run("on") == 1 and open(docker.path, "rb").read() == b'{"a": "\xff"}'


def test_a_choice_of_the_persons_own_is_kept(docker, capsys):
    put(docker, '{"live-restore": false}')
    assert docker.run("on") == 0 and "off: left as it is" in capsys.readouterr().out and not docker.enabled
    put(docker, '{"live-restore": true}')
    docker.enabled = True
    assert docker.run("on") == 0 and docker.run("off") == 0 and docker.enabled
    docker.enabled, docker.words = False, ["dockerd", "--live-restore=false"]
    put(docker, "{}")
    assert docker.run("on") == 1 and text(docker) == "{}", "dockerd does not start with both"


def test_a_swarm_refuses_it(docker):
    docker.swarm = "active"
    assert docker.run("on") == 0 and text(docker) is None


@pytest.mark.parametrize("before", [None, '{"dns": "x"}'])
def test_what_docker_does_not_take_up_is_taken_back(docker, capsys, before):
    if before:
        put(docker, before)
    docker.stubborn = True
    assert docker.run("on") == 1 and "does not take up" in capsys.readouterr().out
    assert text(docker) == before and not docker.record.exists()


@pytest.mark.parametrize("step", range(1, 6))
def test_killed_at_any_write_it_can_be_taken_back(docker, monkeypatch, step):
    put(docker, '{"dns": []}')
    write, left = helper.write, [step]

    def killed(*arguments):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        write(*arguments)

    monkeypatch.setattr(helper, "write", killed)
    try:
        docker.run("on")
        docker.run("off")
    except KeyboardInterrupt:
        pass
    monkeypatch.setattr(helper, "write", write)
    docker.run("off")
    assert text(docker) == '{"dns": []}' and not docker.enabled and not docker.record.exists()


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["/usr/sbin/dockerd", "-H", "fd://"], "/etc/docker/daemon.json"),
        (["dockerd", "--config-file", "/srv/d.json", "--debug"], "/srv/d.json"),
        (["dockerd", "--config-file=/srv/d.json"], "/srv/d.json"),
        (["dockerd", "-config-file=/srv/d.json"], "/srv/d.json"),
    ],
)
def test_where_docker_has_its_settings(words, path):
    assert helper.settings_path(words) == path


@pytest.mark.parametrize("words", [[], ["yes"], ["on", "on"]])
def test_usage(docker, words):
    assert helper.main(words, str(docker.record)) == 2


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), values, max_size=4))
def test_no_other_setting_is_lost(settings):
    assert helper.parsed(helper.dumped(settings)) == settings
