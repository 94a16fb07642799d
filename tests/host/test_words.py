"""What people type who know other platforms, and what a key may type that a plugin limits to one app."""

import os
import shlex
import subprocess

import pytest
from conftest import docker, wait_for, web, word

POLICY = """
from minipaas_lib import api

@api.hookimpl
def authorize(key, command, app):
    if key == "{key}" and app != "{app}":
        raise api.errors.Denied(f"{{key}} may not {{command}} {{app}}".rstrip())
"""
TOML = 'api = 1\nname = "policy"\nversion = "1"\nsummary = "Limit a key to an app"\nhooks = ["authorize"]\n'


def test_run_and_enter_of_what_is_not_there_is_said_in_our_words(host, app, repo):
    files = web("hello")
    files["Dockerfile"] += "\nCOPY plain own odd /\nRUN chmod +x /own /odd\n"
    repo.commit(**files, plain="x", own="#!/bin/sh\necho mine\nexit 127\n", odd="#!/bin/lost\n")
    repo.push()
    for line in (("run", app), ("run:detached", app), ("enter", app, "web")):
        for program, status, says in (
            ("nope", 127, 'no program "nope"'),
            ("/plain", 126, "not executable"),
            ("/odd", 127, '"/bin/lost"'),
        ):
            done = host.ssh(*line, "--", program, ok=False)
            assert done.returncode == status and says in done.stderr and done.stdout == "", done.stderr
            assert "tini" not in done.stderr and "OCI" not in done.stderr
    for line in (("run", app), ("enter", app, "web")):
        done = host.ssh(*line, "--", "/own", ok=False)
        assert (done.returncode, done.stdout) == (127, "mine\n") and "no program" not in done.stderr
    assert host.ssh("run", app, "--", "cat", "/www/index.html").stdout == "hello"
    wait_for(lambda: not docker("ps", "-aq", "--filter", f"label=minipaas.run={app}"), 10)


def test_process_types_of_heroku_and_a_deploy_of_which_nothing_runs(host, app, repo):
    repo.commit(Procfile="Work_er: sleep 1000\n")
    said = repo.push().stderr
    assert f"no process of {app} is running (Work_er=0)" in said and "http://" not in said
    host.ssh("ps:scale", "Work_er=2", "-a", app)
    assert sorted(name.partition(".")[2] for name in host.containers(app)) == ["Work_er.1", "Work_er.2"]
    assert host.ssh("enter", app, "Work_er.2", "echo", "in it").stdout == "in it\n"
    repo.commit(Procfile="web: exec httpd -f -p $PORT -h /www\n")
    assert f"http://{host.url_host(app)}" in repo.push().stderr
    assert "its count is removed" in host.ssh("ps:scale", app, "Work_er=0").stderr


def test_words_of_others_over_ssh(host, app):
    host.ssh("apps:create", app)
    for line, status, says in (
        ("storage:mount x", 2, "no storage yet"),
        ("git push", 2, "your own machine"),
        (f"ps {app}", 0, ""),
        ("ps:scale web=1", 2, "ps:scale <app> web=1"),
        (f"{app} logs", 2, "is an app"),
        (f"ps {app} x", 2, "one app"),
    ):
        done = host.ssh(raw=line, ok=False)
        assert done.returncode == status and says in done.stderr, done.stderr
    assert host.ssh("config:set", "A=1", "-a", app).returncode == 0
    assert host.ssh("config:get", "--app", app, "A").stdout == "1\n"


@pytest.mark.serial
def test_a_key_of_one_app_acts_on_no_other(host, app, other_app, repo, tmp_path):
    """With a policy that needs no care: each app is asked for by its name, in whatever place."""
    key, folder = f"k-{word()}", tmp_path / "policy"
    folder.mkdir()
    (folder / "plugin.toml").write_text(TOML)
    (folder / "hooks.py").write_text(POLICY.format(key=key, app=app))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    host.ssh("ssh-keys:add", key, input=(tmp_path / "id.pub").read_text())
    repo.push()
    host.ssh("apps:create", other_app)
    host.ssh("config:set", other_app, "SECRET=told-to-nobody")
    subprocess.run(["minipaas", "plugin:install", str(folder)], check=True, capture_output=True)
    line = host.ssh_command()
    line[line.index("-i") + 1] = str(tmp_path / "id")

    def typed(text: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*line, "paas@127.0.0.1", text], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )

    try:
        for text in (
            f"config:export --format json {other_app}",
            f"config:show -a {other_app}",
            f"apps:clone {app} {other_app}",
            f"apps:rename {other_app} {app}",
            "report",
            "config:set --global A=1",
            "apps:list",
            f"completion:words -- config:get {other_app} ''",
            f"config {other_app}",
            f"git-upload-pack '{other_app}.git'",
        ):
            done = typed(text)
            assert "SECRET" not in done.stdout and (done.returncode == 77 or text.startswith("completion")), (
                text,
                done.stderr,
            )
        assert typed(f"config:set A=1 -a {app}").returncode == 0
        repo.commit(**web("by the limited key"))
        environment = os.environ | {"GIT_SSH_COMMAND": shlex.join(line)}
        pushed = subprocess.run(
            ["git", "push", "paas", "main"],
            cwd=repo.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert pushed.returncode == 0 and host.get(host.url_host(app)) == (200, "by the limited key"), pushed.stderr
    finally:
        subprocess.run(["minipaas", "plugin:uninstall", "policy"], capture_output=True)
        host.ssh("ssh-keys:remove", key, ok=False)
