"""Hooks as programs: the same as in Python, and no way to harm."""

import json
import os
import time

import pytest

from minipaas_lib import errors
from minipaas_lib.bus import manager
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build, Release

APP = App("blog", {"config": {"A": "1"}})
RELEASE = Release("blog", 4, config={"A": "1"})


def test_arguments_come_as_json_and_in_the_environment(plugs, tmp_path):
    plugs.add(
        "one",
        ["after_deploy"],
        hooks__after_deploy=f"#!/bin/sh\ncat > {tmp_path}/given; env > {tmp_path}/env; pwd > {tmp_path}/pwd\n",
    )
    manager.notify("after_deploy", app=APP, release=RELEASE, previous=None)
    given = json.loads((tmp_path / "given").read_text())
    assert given["app"]["name"] == "blog" and given["app"]["config"] == {"A": "1"}
    assert given["release"]["number"] == 4 and given["previous"] is None
    variables = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert (variables["MINIPAAS_APP"], variables["MINIPAAS_RELEASE"], variables["MINIPAAS_HOOK"]) == (
        "blog",
        "4",
        "after_deploy",
    )
    assert os.stat(variables["MINIPAAS_PLUGIN_DATA"]).st_mode & 0o777 == 0o700
    assert (tmp_path / "pwd").read_text().strip() == variables["MINIPAAS_PLUGIN_DATA"]
    assert os.path.isdir(variables["MINIPAAS_PLUGIN_DIR"]) and variables["MINIPAAS_PLUGIN"] == "one"


def test_git_variables_of_a_push_do_not_reach_it(plugs, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/somewhere")
    monkeypatch.setenv("SECRET_TOKEN", "x")
    plugs.add("one", ["installed"], hooks__installed=f"#!/bin/sh\nenv > {tmp_path}/env\n")
    manager.notify("installed")
    assert "GIT_DIR" not in (tmp_path / "env").read_text() and "SECRET_TOKEN" not in (tmp_path / "env").read_text()


def test_a_value_hook_answers_json(plugs):
    plugs.add("one", ["release_environment"], hooks__release_environment='#!/bin/sh\necho \'{"FROM": "shell"}\'\n')
    found = manager.call("release_environment", app=APP, build=Build("i", "b"), commit="")
    assert {"FROM": "shell"} in found


def test_no_answer_is_none(plugs):
    plugs.add("one", ["release_environment"], hooks__release_environment="#!/bin/sh\n")
    assert manager.call_one("release_environment", "one", app=APP, build=Build("i", "b"), commit="") is None


def test_a_build_and_findings_come_from_objects(plugs):
    plugs.add(
        "one",
        ["build_image", "doctor"],
        hooks__build_image='#!/bin/sh\necho \'{"image": "sha256:1", "builder": "x", "notes": ["a"]}\'\n',
        hooks__doctor='#!/bin/sh\necho \'[{"part": "disk", "ok": true, "said": "fine"}]\'\n',
    )
    build = manager.call_one("build_image", "one", app=APP, builder="x", context="/", commit="c", release=3)
    assert build == Build("sha256:1", "x", notes=("a",))
    (finding,) = manager.call_one("doctor", "one", app=None)
    assert finding.part == "disk" and finding.ok


def test_refusal_is_its_last_line_and_the_rest_is_shown(plugs, capsys):
    plugs.add(
        "one",
        ["before_release"],
        hooks__before_release="#!/bin/sh\necho looking >&2; echo no such thing here >&2; exit 3\n",
    )
    with pytest.raises(errors.MinipaasError) as refused:
        manager.call("before_release", app=APP, release=RELEASE)
    assert refused.value.message == "no such thing here" and refused.value.hint == "from plugin one"
    assert capsys.readouterr().err == "       looking\n"


@pytest.mark.parametrize(
    ("hook", "kind", "arguments"),
    [
        ("authorize", errors.Denied, {"key": "k", "command": "apps:list", "app": ""}),
        ("check_process", errors.DeployFailed, {"app": APP, "release": RELEASE, "process": None}),
        ("before_build", errors.BuildFailed, {"app": APP, "context": "/", "commit": "c"}),
    ],
)
def test_a_refusal_is_of_the_hooks_kind(plugs, hook, kind, arguments):
    plugs.add("one", [hook], **{f"hooks__{hook}": "#!/bin/sh\necho no >&2; exit 1\n"})
    with pytest.raises(kind):
        manager.call_one(hook, "one", **arguments)


def test_both_outputs_of_a_hook_without_a_value_are_shown(plugs, capsys):
    plugs.add(
        "one", ["domains_changed"], hooks__domains_changed="#!/bin/sh\necho out; sleep 0.05; printf 'err\\033[2J' >&2\n"
    )
    manager.notify("domains_changed", app=APP, domains=[])
    assert capsys.readouterr().err == "       out\n       err\\x1b[2J\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "killed by signal SEGV"),
        ("echo nonsense", "must print JSON"),
        ("head -c 100000000 /dev/zero", "more than 1 MiB on stdout"),
        ("head -c 100000000 /dev/zero >&2", "more than 8 MiB on stderr"),
        ("sleep 60", "still running after 0.5 s"),
        ("exec >&- 2>&-; sleep 60", "still running after 0.5 s"),
        ("echo '[1, 2]'", "must return lines of a report"),
        ("echo '{\"A b\": 1}'", "names of a report"),
        ("python3 -c \"print('[' * 100000)\"", "must print JSON"),
        ("printf '\\377'", "must print JSON"),
    ],
)
def test_what_goes_wrong_has_the_plugins_name(plugs, script, said):
    plugs.add(
        "one", ["report"], f"timeout = {0.5 if 'sleep' in script else 20}\n", hooks__report=f"#!/bin/sh\n{script}\n"
    )
    began = time.monotonic()
    with pytest.raises(errors.PluginFailed) as failed:
        manager.call_one("report", "one", app=APP)
    assert failed.value.message.startswith("plugin one failed in report: ") and said in failed.value.message
    assert "plugin:disable one" in failed.value.hint and time.monotonic() - began < 20


def test_no_process_of_it_is_left_behind_or_waited_for(plugs, tmp_path):
    plugs.add("one", ["installed"], hooks__installed=f"#!/bin/sh\nsleep 61.25 & echo $! > {tmp_path}/pid\n")
    began = time.monotonic()
    manager.notify("installed")
    assert time.monotonic() - began < 20
    pid = (tmp_path / "pid").read_text().strip()
    time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().split()[2] == "Z"


def test_it_need_not_read_its_arguments(plugs, capsys):
    plugs.add("one", ["config_changed"], hooks__config_changed="#!/bin/sh\nexec 0<&-\necho done\n")
    manager.notify("config_changed", app=App("blog", {"config": {"BIG": "x" * 1_000_000}}), names=["BIG"])
    assert capsys.readouterr().err == "       done\n"


def test_a_program_that_is_no_program(plugs):
    folder = plugs.add("one", ["report"], hooks__report="#!/no/such/interpreter\n")
    with pytest.raises(errors.PluginFailed, match="cannot be run"):
        manager.call_one("report", "one", app=APP)
    os.unlink(os.path.join(folder, "hooks/report"))
    with pytest.raises(errors.PluginFailed, match="plugin one failed in report: report cannot be run"):
        manager.call_one("report", "one", app=APP)


def test_after_an_event_a_failure_is_reported_and_others_are_told(plugs, tmp_path, capsys):
    plugs.add("a_bad", ["after_deploy"], index_it=False, hooks__after_deploy="#!/bin/sh\nexit 9\n")
    plugs.add("b_good", ["after_deploy"], hooks__after_deploy=f"#!/bin/sh\ntouch {tmp_path}/told\n")
    manager.notify("after_deploy", app=APP, release=RELEASE, previous=None)
    assert (tmp_path / "told").exists()
    assert (
        "plugin a_bad: after_deploy failed: plugin a_bad refused after_deploy and gave no reason (exit status 9)"
        in capsys.readouterr().err
    )
