"""An app gets another name, and a copy, as a user sees it."""

import subprocess

import pytest
from conftest import MINIPAAS, Load, Repo, docker, wait_for, web, word

PROCFILE = "web: exec httpd -f -p $PORT -h /www\nworker: while true; do sleep 1; done\n"


@pytest.fixture
def repo(host, app, tmp_path):
    made = Repo(host, tmp_path / "repo", app, **web("one"), Procfile=PROCFILE)
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "2")
    host.ssh("config:set", app, "COLOUR=blue")
    made.push()
    return made


@pytest.mark.serial
def test_apps_rename_while_it_serves(host, repo, app, other_app):
    domain = f"{app}.rename.test"
    host.ssh("domains:add", app, domain)
    host.ssh("ps:scale", app, "web=2", "worker=1")
    with Load(host, domain).running() as load:
        done = host.ssh("apps:rename", app, other_app)
        wait_for(lambda: not host.containers(app, every=True), 30)
    assert load.done > 20 and not load.failed, load.failed[:3]
    assert (
        f"{app} is now called {other_app}, v" in done.stderr
        and f"{other_app} no longer answers at {app}." in done.stderr
    )
    names = host.containers(other_app)
    assert [name.split(".", 1)[1] for name in names] == ["web.1", "web.2", "worker.1"]
    assert host.ssh("apps:exists", app, ok=False).returncode == 1
    assert host.get(domain) == (200, "one") and host.get(host.url_host(other_app)) == (200, "one")
    assert host.ssh("config:get", other_app, "COLOUR").stdout == "blue\n"
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and f"app {app} was renamed to {other_app}" in refused.stderr
    assert f"git remote set-url paas paas@127.0.0.1:{other_app}" in refused.stderr
    repo.git("remote", "set-url", "paas", f"ssh://paas@127.0.0.1:{host.port}/{other_app}")
    assert repo.push().returncode == 0, "everything is up to date"
    repo.commit(www___index__html="two")
    repo.push()
    assert host.get(domain) == (200, "two")
    images = docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"minipaas/{app}").split()
    assert images == [] and f"minipaas/{other_app}:v1" in docker("images", "--format", "{{.Repository}}:{{.Tag}}")
    assert "renamed from" in host.ssh("releases", other_app).stdout
    host.ssh("releases:rollback", other_app, "v1")
    assert host.get(domain)[1] == "one"
    assert f"Building {app} v1" in host.ssh("releases:output", other_app, "v1").stdout
    assert host.ssh("doctor", ok=False).stdout.count(f"app {app}:") == 0


@pytest.mark.serial
def test_what_does_not_start_under_the_new_name_leaves_the_old_one(host, repo, app, other_app):
    repo.commit(Procfile='web: test -z "$BROKEN" || exit 3; exec httpd -f -p $PORT -h /www\n')
    repo.push()
    domain = host.url_host(app)
    host.ssh("config:set", "--no-restart", app, "BROKEN=1")
    with Load(host, domain).running() as load:
        failed = host.ssh("apps:rename", app, other_app, ok=False)
        assert failed.returncode != 0 and "exit code 3" in failed.stderr and f"{app} is as it was" in failed.stderr
    assert not load.failed and host.get(domain) == (200, "one")
    assert host.ssh("apps:exists", other_app, ok=False).returncode == 1 and host.containers(other_app, every=True) == []
    host.ssh("config:unset", app, "BROKEN")
    host.ssh("apps:rename", "--skip-deploy", app, other_app)
    assert host.get(host.url_host(other_app))[0] == 503
    host.ssh("ps:start", other_app)
    assert host.get(host.url_host(other_app)) == (200, "one")


def test_apps_clone(host, repo, app, other_app):
    host.ssh("domains:add", app, f"{app}.clone.test")
    done = host.ssh("apps:clone", app, other_app)
    assert f"{other_app} v1 is live: clone of {app}" in done.stderr
    assert host.get(host.url_host(other_app)) == (200, "one") and host.get(f"{app}.clone.test") == (200, "one")
    assert f"{app}.clone.test" not in host.ssh("domains:report", other_app).stdout
    assert host.ssh("config:get", other_app, "COLOUR").stdout == "blue\n"
    assert host.ssh("apps:clone", "--ignore-existing", app, other_app).returncode == 0
    assert host.ssh("apps:clone", app, other_app, ok=False).returncode == 2
    repo.git("remote", "add", "copy", f"ssh://paas@127.0.0.1:{host.port}/{other_app}")
    repo.commit(www___index__html="copy")
    repo.git("push", "copy", "main")
    assert host.get(host.url_host(other_app)) == (200, "copy") and host.get(f"{app}.clone.test") == (200, "one")
    host.ssh("apps:destroy", app, "--force", "--now")
    host.ssh("releases:rollback", other_app, "v1")
    assert host.get(host.url_host(other_app)) == (200, "one"), "the image that both run stays"


def test_apps_clone_and_deploy_later(host, repo, app):
    name = f"c-{word()}"
    try:
        host.ssh("apps:clone", "--skip-deploy", app, name)
        assert host.containers(name, every=True) == []
        host.ssh("ps:rebuild", name)
        assert host.get(host.url_host(name)) == (200, "one")
    finally:
        subprocess.run([MINIPAAS, "apps:destroy", name, "--force", "--now"], capture_output=True, timeout=120)
