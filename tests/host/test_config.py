"""Config values arrive in the processes exactly as they were meant, whichever way they came."""

import base64
import json
import shlex
import subprocess

import pytest
from conftest import BUSYBOX_IMAGE, Repo, web

VALUES = {
    "SPACES": "  two  words ",
    "QUOTES": """it's "quoted" and `ticked`""",
    "DOLLAR": "$HOME ${PATH} $(id) $$ \\$",
    "LINES": "first\nsecond\n\nfourth\n",
    "UNICODE": "Grüße, 世界 \U0001f980",
    "BACKSLASH": "a\\nb\\\\c\\",
    "SHELL": "a;b|c&d>e<f*?[x]~!#%^(){}=",
    "EMPTY": "",
    "TABS": "\tx\ty\r\n",
    "DASH": "-n",
}


def stored(host, app):
    return json.loads(host.ssh("config:show", app, "--format", "json").stdout)


def environment(host, app):
    """What a process of the app finds, as env separates no variables of several lines: each is asked for."""
    script = "".join(f'printf "%s\\0" "${name}"; ' for name in VALUES)
    told = host.ssh("run", app, "sh", "-c", script).stdout.split("\0")
    return dict(zip(VALUES, told, strict=False))


def as_words(host, app):
    host.ssh("config:set", app, *(f"{name}={value}" for name, value in VALUES.items()))


def as_base64(host, app):
    host.ssh(
        "config:set",
        "--encoded",
        app,
        *(f"{name}={base64.b64encode(value.encode()).decode()}" for name, value in VALUES.items()),
    )


def as_json(host, app):
    host.ssh("config:set", app, "-", input=json.dumps(VALUES))


def as_single_quoted_lines(host, app):
    lines = [f"{name}='" + value.replace("'", "'\\''") + "'\n" for name, value in VALUES.items()]
    host.ssh("config:set", app, "-", input="# ours\n\n" + "".join(lines))


def as_imported_json(host, app):
    host.ssh("config:import", app, input=json.dumps(VALUES, ensure_ascii=False))


@pytest.mark.parametrize("way", [as_words, as_base64, as_json, as_single_quoted_lines, as_imported_json])
def test_values_survive_every_way_in_and_out(host, app, way):
    host.ssh("apps:create", app)
    way(host, app)
    assert stored(host, app) == VALUES
    for name, value in VALUES.items():
        assert host.ssh("config:get", app, name).stdout == value + "\n"
    for format in ("env", "shell", "json"):
        text = host.ssh("config:export", app, "--format", format).stdout
        host.ssh("config:clear", app)
        host.ssh("config:import", app, input=text)
        assert stored(host, app) == VALUES, format


def test_the_shell_export_means_the_same_to_a_real_shell(host, app):
    host.ssh("apps:create", app)
    as_json(host, app)
    text = host.ssh("config:export", app, "--format", "shell").stdout
    script = f"set -a; {text}\nexec env -0"
    for shell in (["sh"], ["bash", "--posix"], ["busybox", "sh"]):
        done = subprocess.run(
            [*shell, "-c", 'eval "$1"', "sh", script], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"}
        )
        found = dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
        assert {name: found.get(name) for name in VALUES} == VALUES, shell


def test_config_get_quoted_is_one_word_for_a_shell(host, app):
    host.ssh("apps:create", app)
    as_json(host, app)
    for name, value in VALUES.items():
        assert shlex.split(host.ssh("config:get", "--quoted", app, name).stdout) == [value]


def test_values_are_in_the_web_process_and_in_run(host, app, repo):
    repo.commit(
        Procfile='web: printf "%s" "$QUOTES|$DOLLAR|$UNICODE|$LINES" >/www/seen; exec httpd -f -p $PORT -h /www\n'
    )
    host.ssh("apps:create", app)
    as_words(host, app)
    repo.push()
    assert host.get(host.url_host(app), "/seen") == (
        200,
        "|".join(VALUES[name] for name in ("QUOTES", "DOLLAR", "UNICODE", "LINES")),
    )
    assert environment(host, app) == VALUES
    host.ssh("config:set", app, "QUOTES='changed'")
    assert host.get(host.url_host(app), "/seen")[1].startswith("'changed'|")


def versions(host, app):
    return [row["v"] for row in json.loads(host.ssh("releases", app, "--format", "json").stdout)]


def test_nothing_changed_is_no_release(host, app, repo):
    repo.push()
    host.ssh("config:set", app, "A=1")
    assert versions(host, app) == ["v2", "v1"]
    before = host.containers(app)
    for words in (["config:set", app, "A=1"], ["config:unset", app, "NOT_THERE"], ["config:import", app]):
        said = host.ssh(*words, input="A=1\n")
        assert "is unchanged" in said.stderr
    assert versions(host, app) == ["v2", "v1"]
    assert f"{app}_v2.web.1" in host.containers(app) and set(host.containers(app)) <= set(before)  # v1 may have drained


def test_import_replace_unset_and_clear_reach_what_runs(host, app, repo):
    repo.push()
    host.ssh("config:set", app, "A=1", "B=2")
    host.ssh("config:import", "--replace", app, input='{"B": "3", "C": "4"}')
    seen = host.ssh("enter", app, "web", "env").stdout.splitlines()
    assert "B=3" in seen and "C=4" in seen and not any(line.startswith("A=") for line in seen)
    host.ssh("config:unset", app, "B")
    host.ssh("config:clear", app)
    assert stored(host, app) == {} and not any(
        line.startswith(("B=", "C=")) for line in host.ssh("enter", app, "web", "env").stdout.splitlines()
    )
    assert host.ssh("config:import", app, input="# nothing\n", ok=False).returncode == 2


def test_no_restart_waits_for_the_next_release(host, app, repo):
    repo.push()
    before = host.containers(app)
    host.ssh("config:set", "--no-restart", app, "LATER=yes")
    assert host.containers(app) == before and versions(host, app) == ["v1"]
    assert "LATER=yes" not in host.ssh("enter", app, "web", "env").stdout.splitlines()
    repo.commit(www___index__html="second")
    repo.push()
    assert "LATER=yes" in host.ssh("enter", app, "web", "env").stdout.splitlines()


def test_a_value_that_breaks_the_app_is_taken_back(host, app, repo):
    repo.commit(Procfile='web: [ "$MODE" != bad ] || exit 3; exec httpd -f -p $PORT -h /www\n')
    host.ssh("config:set", app, "MODE=good", ok=False)
    repo.push()
    host.ssh("config:set", app, "MODE=good")
    failed = host.ssh("config:set", app, "MODE=bad", ok=False)
    assert failed.returncode == 1 and "exit code 3" in failed.stderr
    assert stored(host, app) == {"MODE": "good"} and host.get(host.url_host(app))[0] == 200


@pytest.mark.serial
def test_the_app_wins_over_the_global_config(host, app, repo):
    repo.push()
    host.ssh("config:set", app, "SHARED=mine")
    host.ssh("config:set", "--global", "--no-restart", "SHARED=ours", "ONLY_GLOBAL=g")
    try:
        assert host.ssh("config:get", "--global", "SHARED").stdout == "ours\n"
        merged = json.loads(host.ssh("config:show", "--merged", "--format", "json", app).stdout)
        assert merged["SHARED"] == "mine" and merged["ONLY_GLOBAL"] == "g"
        host.ssh("ps:restart", app)
        seen = host.ssh("enter", app, "web", "env").stdout.splitlines()
        assert "SHARED=mine" in seen and "ONLY_GLOBAL=g" in seen
    finally:
        host.ssh("config:unset", "--global", "--no-restart", "SHARED", "ONLY_GLOBAL")


@pytest.mark.serial
def test_global_config_goes_from_app_to_app_and_reports_each(host, app, other_app, repo, tmp_path):
    picky = f'FROM {BUSYBOX_IMAGE}\nCOPY www /www\nCOPY start /start\nCMD ["sh", "/start"]\n'
    start = '[ "$EVERYWHERE" != yes ] || exit 3\nexec httpd -f -p $PORT -h /www\n'
    Repo(host, tmp_path / "picky", app, **(web("picky") | {"Dockerfile": picky, "start": start})).push()
    fine = Repo(host, tmp_path / "fine", other_app, **web("fine"))
    fine.push()
    assert app < other_app  # the one that fails comes first
    before = set(host.ssh("config:keys", "--global").stdout.split())
    try:
        done = host.ssh("config:set", "--global", "EVERYWHERE=yes", ok=False)
        assert done.returncode == 1
        assert f" !     {app}: " in done.stderr and f"{other_app}: v2 is live" in done.stderr
        assert host.get(host.url_host(app)) == (200, "picky")
        assert "EVERYWHERE=yes" in host.ssh("enter", other_app, "web", "env").stdout.splitlines()
    finally:
        host.ssh("config:unset", "--global", "EVERYWHERE", ok=False)
    assert "EVERYWHERE=yes" not in host.ssh("enter", other_app, "web", "env").stdout.splitlines()
    assert set(host.ssh("config:keys", "--global").stdout.split()) == before
