"""Releases over real ssh: the ledger, going back, plans that touch nothing, and what is let go."""

import hashlib
import json
import os
import time
from pathlib import Path

import on_nodes
import pytest
from conftest import Load, docker, wait_for, web

STATE = Path("/var/lib/minipaas/state")
OUTPUT = Path("/var/lib/minipaas/output")
SITES = Path("/var/lib/minipaas/nginx")


def info(host, app, number):
    return json.loads(host.ssh("releases:info", app, f"v{number}", "--format", "json").stdout)


def listed(host, app):
    return json.loads(host.ssh("releases", app, "--format", "json").stdout)


def images(app):
    return sorted(docker("images", "--format", "{{.Tag}}", f"minipaas/{app}").split())


def released(repo, body):
    """Push another page; the commit."""
    repo.commit(www___index__html=body)
    repo.push()
    return repo.git("rev-parse", "HEAD").stdout.strip()


def everything(host, app):
    """The bytes of the store and of nginx's files, and the app's containers."""
    files = on_nodes.documents()
    for folder in (STATE, SITES):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and ".scratch" not in path.parts and path.name != ".lock":
                files[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    assert any(name.endswith("/app.toml") for name in files)
    return files, docker(
        "ps", "-a", "--no-trunc", "--filter", f"label=minipaas.app={app}", "--format", "{{.ID}} {{.State}}"
    )


def test_every_change_is_told_and_no_value_is(host, app, repo):
    repo.push()
    host.ssh("config:set", app, "TOKEN=hidden-1", "ROUNDS=3")
    host.ssh("config:set", app, "TOKEN=hidden-2")
    host.ssh("ps:scale", app, "web=2")
    host.ssh("domains:add", app, f"{app}.test")
    commit = released(repo, "second")
    rows = listed(host, app)
    assert [row["reason"] for row in rows] == [
        "git push",
        f"domains: added {app}.test",
        "scale: web=1 -> 2",
        "config: changed TOKEN",
        "config: added ROUNDS TOKEN",
        "git push",
    ]
    assert [row["status"] for row in rows] == ["live", *["superseded"] * 5] and {row["who"] for row in rows} == {
        host.key_name
    }
    last = info(host, app, 6)
    assert (
        last["commit"] == commit
        and last["author"] == "t"
        and last["key"] == host.key_name
        and last["builder"] == "dockerfile"
    )
    assert last["subject"] == "change" and last["formation"] == {"web": 2} and f"{app}.test" in last["domains"]
    assert (
        last["image"] in docker("images", "--no-trunc", "--quiet")
        and last["ended"] >= last["created"]
        and last["build-seconds"] > 0
    )
    assert {"TOKEN", "ROUNDS"} <= set(last["config"]) and info(host, app, 3)["config-changed"] == ["TOKEN"]
    compared = host.ssh("releases:diff", app, "v2", "v6").stdout
    assert (
        "web=1 -> 2" in compared
        and f"added {app}.test" in compared
        and "changed" in compared
        and f"+ {commit[:8]} change" in compared
    )
    shown = compared + json.dumps([rows, last, info(host, app, 3)]) + host.ssh("releases:info", app, "v3").stdout
    assert "hidden" not in shown
    for file in [] if on_nodes.nodes() else (STATE / "apps" / app / "releases").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (
        "Building" in host.ssh("releases:output", app, "v6").stdout
        and f"{app} v6 is live" in host.ssh("releases:output", app).stdout
    )


def test_numbers_are_never_given_twice(host, app, repo):
    repo.push()
    repo.commit(**web("broken", command="exit 1"))
    assert repo.push(ok=False).returncode
    assert [(row["v"], row["status"]) for row in listed(host, app)] == [("v2", "failed"), ("v1", "live")]
    host.ssh("apps:destroy", app, "--force")
    repo.commit(**web("whole again"))
    repo.push()
    assert [row["v"] for row in listed(host, app)] == ["v3"]


@pytest.mark.serial
def test_back_and_forth_while_it_serves(host, app, repo):
    repo.push()
    name = host.url_host(app)
    host.ssh("config:set", app, "A=1")
    released(repo, "second")
    host.ssh("config:set", app, "A=2")
    host.ssh("ps:scale", app, "web=2")
    host.ssh("domains:add", app, f"late.{app}.test")
    with Load(host, name).running() as load:
        begun = time.monotonic()
        said = host.ssh("releases:rollback", app, "v2").stderr
        print(f"rollback over ssh: {time.monotonic() - begun:.2f} s")
        assert "v7 is live: rollback to v2" in said
        assert host.get(name) == (200, f"hello from {app}") and host.ssh("config:get", app, "A").stdout == "1\n"
        assert (
            len(docker("ps", "-q", "--filter", f"name={app}_v7").split()) == 2
            and host.get(f"late.{app}.test")[0] == 200
        )
        host.ssh("releases:rollback", app)
        assert host.get(name) == (200, "second") and host.ssh("config:get", app, "A").stdout == "2\n"
        host.ssh("releases:rollback", app, "v1", "--only", "image")
        assert host.get(name) == (200, f"hello from {app}") and host.ssh("config:get", app, "A").stdout == "2\n"
        host.ssh("releases:rollback", app, "v2", "--all")
    assert load.failed == [] and load.done > 50
    assert host.get(f"late.{app}.test")[0] == 404 and info(host, app, 10)["formation"] == {"web": 1}
    released(repo, "third")
    assert host.get(name) == (200, "third") and host.ssh("config:get", app, "A").stdout == "1\n", (
        "the next push keeps it"
    )
    assert "is already live" in host.ssh("releases:rollback", app, "v11", ok=False).stderr


@pytest.mark.one_host  # nodes have it still
def test_an_image_that_is_gone_is_built_again(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "1")
    repo.push()
    released(repo, "second")
    wait_for(lambda: len(host.containers(app, every=True)) == 1, 60)
    docker("image", "rm", f"minipaas/{app}:v1")
    assert (
        f"build commit {info(host, app, 1)['commit'][:8]}" in host.ssh("releases:rollback", app, "v1", "--plan").stdout
    )
    assert "its commit is built again" in host.ssh("releases:rollback", app, "v1").stderr
    assert (
        host.get(host.url_host(app)) == (200, f"hello from {app}")
        and listed(host, app)[0]["reason"] == "rollback to v1"
    )


@pytest.mark.serial
def test_plans_tell_and_touch_nothing(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "1")
    repo.push()
    host.ssh("config:set", app, "A=1")
    host.ssh("domains:add", app, f"more.{app}.test")
    wait_for(lambda: len(host.containers(app, every=True)) == 1, 60)
    before = everything(host, app)
    for words in (
        ["config:set", app, "B=hidden"],
        ["config:unset", app, "A"],
        ["ps:scale", app, "web=3"],
        ["domains:add", app, f"new.{app}.test"],
        ["domains:remove", app, f"more.{app}.test"],
        ["domains:set", app, f"new.{app}.test"],
        ["releases:rollback", app, "v1"],
        ["releases:rollback", app, "v1", "--all"],
    ):
        said = host.ssh(*words, "--plan").stdout
        assert "write release v4: " in said and "make v4 live" in said and "hidden" not in said, words
        assert everything(host, app) == before, words
    assert f"start {app}_v4.web.1" in host.ssh("deploy:plan", app).stdout
    assert json.loads(host.ssh("deploy:plan", app, "--format", "json").stdout)["retire"] == [f"{app}_v2.web.1"]
    assert everything(host, app) == before


def test_old_releases_are_let_go_by_themselves(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "0")
    host.ssh("releases:set", app, "keep", "2")
    assert host.ssh("releases:report", app, "--releases-keep").stdout == "2\n"
    repo.push()
    for turn in range(2, 5):
        released(repo, f"turn {turn}")
    repo.commit(**web("broken", command="exit 1"))
    assert repo.push(ok=False).returncode
    wait_for(lambda: len(host.containers(app, every=True)) == 1, 60)
    host.ssh("releases:prune", app)
    assert images(app) == ["v3", "v4"], "those that were live last"
    folder = OUTPUT / app
    assert sorted(os.listdir(folder)) == ["v3.log", "v4.log", "v5.log"]
    refs = kept_refs(app)
    assert refs == ["refs/minipaas/v3", "refs/minipaas/v4", "refs/minipaas/v5"]
    assert [row["v"] for row in listed(host, app)] == ["v5", "v4", "v3", "v2", "v1"]
    host.ssh("releases:rollback", app, "v3")
    host.ssh("releases:prune", app)
    assert images(app) == ["v3", "v4"]
    host.ssh("releases:rollback", app, "v1")
    assert host.get(host.url_host(app)) == (200, f"hello from {app}"), "built again"
    host.ssh("releases:set", app, "keep")


def kept_refs(app):
    """The commits that are kept, as refs."""
    import subprocess

    command = [
        "git",
        "-c",
        "safe.directory=*",
        f"--git-dir=/var/lib/minipaas/repos/{app}.git",
        "for-each-ref",
        "--format=%(refname)",
    ]
    text = subprocess.run([*command, "refs/minipaas/"], capture_output=True, text=True, check=True).stdout
    return sorted(text.split())


@pytest.mark.parametrize(
    "words", [["releases:info", "v99"], ["releases:diff", "v98", "v99"], ["releases:output", "v99"]], ids=" ".join
)
def test_a_release_that_is_not_there(host, app, words):
    host.ssh("apps:create", app)
    said = host.ssh(words[0], app, *words[1:], ok=False)
    assert said.returncode == 1 and "has no release" in said.stderr
