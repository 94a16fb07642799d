"""A push becomes a page."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from conftest import BUSYBOX_IMAGE, Repo, docker, wait_for, web

FIRST_PUSHES = Path("/var/lib/minipaas/first-pushes")


def test_a_push_becomes_a_page_and_a_release(host, app, repo):
    host.ssh("apps:create", app)
    pushed = repo.push()
    assert "-----> " in pushed.stderr and f"{app} v1 is live" in pushed.stderr
    url = host.ssh("url", app).stdout.strip()
    assert url in pushed.stderr
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    assert host.containers(app) == [f"{app}_v1.web.1"]
    repo.commit(www___index__html="second")
    repo.push()
    assert host.get(host.url_host(app)) == (200, "second")
    listed = host.ssh("releases", app).stdout
    assert "v2" in listed and "v1" in listed and "live" in listed


def test_a_push_to_an_app_that_does_not_exist_creates_it_and_records_who(host, app, repo):
    repo.push()
    assert host.get(host.url_host(app))[0] == 200
    assert host.key_name in host.ssh("apps:report", app).stdout


def test_an_app_is_created_by_the_first_push_that_is_accepted(host, app, repo):
    """A connection that pushes nothing leaves no app; neither is one listed meanwhile."""

    def is_nothing():
        return app not in host.ssh("apps:list").stdout.split() and not list(FIRST_PUSHES.glob(f"*/{app}.git"))

    repo.git("ls-remote", "--upload-pack=git-receive-pack", "paas")
    connection = subprocess.Popen(
        [*host.ssh_command(), "paas@127.0.0.1", f"git-receive-pack '{app}'"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert connection.stdout.read(4) and len(list(FIRST_PUSHES.glob(f"*/{app}.git"))) == 1
    assert app not in host.ssh("apps:list").stdout.split() and app not in host.ssh("doctor", ok=False).stdout
    connection.kill()
    connection.wait(10)
    wait_for(is_nothing)
    said = repo.push().stderr
    assert f"-----> Created {app}, which did not exist yet" in said and f"apps:destroy {app}" in said
    assert host.get(host.url_host(app))[0] == 200
    wait_for(lambda: not list(FIRST_PUSHES.glob(f"*/{app}.git")))
    assert (
        repo.git("ls-remote", "paas", "refs/heads/main").stdout.split()[0]
        == repo.git("rev-parse", "HEAD").stdout.strip()
    )


@pytest.mark.serial
def test_creating_on_push_can_be_switched_off(host, app, repo):
    host.ssh("apps:set", "--global", "create-on-push", "false")
    try:
        refused = repo.push(ok=False)
        assert refused.returncode != 0 and f"apps:create {app}" in refused.stderr
        assert app not in host.ssh("apps:list").stdout.split()
    finally:
        host.ssh("apps:set", "--global", "create-on-push", "true")


@pytest.mark.skipif(
    not os.path.exists("/proc/net/if_inet6") or not open("/proc/net/if_inet6").read(),
    reason="this machine has no IPv6 address",
)
def test_the_page_answers_over_ipv6_too(host, app, repo):
    repo.push()
    assert host.get(host.url_host(app), address="::1")[0] == 200


def test_master_deploys_by_default_too(host, app, repo):
    repo.git("branch", "-m", "master")
    repo.push("master")
    assert host.get(host.url_host(app))[0] == 200


def test_another_branch_is_refused_with_what_to_type(host, app, repo):
    repo.git("checkout", "-q", "-b", "dev")
    refused = repo.push("dev", ok=False)
    assert refused.returncode != 0
    assert (
        "dev:main" in refused.stderr
        and f"apps:create {app}, then: ssh paas@127.0.0.1 git:set {app} deploy-branch dev" in refused.stderr
    )
    assert app not in host.ssh("apps:list").stdout.split()
    host.ssh("apps:create", app)
    host.ssh("git:set", app, "deploy-branch", "dev")
    repo.push("dev")
    assert host.get(host.url_host(app))[0] == 200


@pytest.mark.parametrize("ref", ["v1.0", "dev dev:x", ":main"], ids=["a tag", "other branches", "a deleted branch"])
def test_what_cannot_be_deployed_is_refused(host, app, repo, ref):
    repo.push()
    repo.git("tag", "v1.0")
    repo.git("branch", "dev")
    repo.commit(www___index__html="never")
    repo.git("tag", "-f", "v1.0")
    refused = repo.git("push", "paas", *ref.split(), ok=False)
    assert refused.returncode != 0 and " !     " in refused.stderr
    assert host.get(host.url_host(app)) == (200, "hello from " + app)


def test_what_deploys_is_deployed_and_what_does_not_is_refused_alone(host, app, repo):
    repo.push()
    repo.git("branch", "dev")
    repo.commit(www___index__html="second")
    repo.git("tag", "-a", "-m", "the second", "v2.0")
    done = repo.git("push", "--mirror", "paas", ok=False)
    assert done.returncode == 1 and "dev -> dev (hook declined)" in done.stderr and "the tag v2.0" in done.stderr
    assert f"'dev' is not deployed by {app}" in done.stderr and "main is deployed anyway" in done.stderr
    assert host.get(host.url_host(app)) == (200, "second")
    refs = repo.git("ls-remote", "paas", "refs/*").stdout.split()[1::2]
    assert refs == ["refs/heads/main", "refs/tags/v2.0", "refs/tags/v2.0^{}"]
    assert repo.git("push", "paas", ":v2.0").returncode == 0


def test_an_empty_branch_pushes_nothing(host, app, tmp_path):
    host.ssh("apps:create", app)
    repo = Repo(host, tmp_path / "empty", app, README="nothing to build")
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "Dockerfile" in refused.stderr
    repo.git("checkout", "-q", "--orphan", "void")
    assert repo.git("push", "paas", "void", ok=False).returncode != 0


def test_two_commits_of_one_second_and_size_deploy_the_second_content(host, app, repo):
    for turn in range(3):
        when = f"{1700000000 + turn} +0000"
        for word in ("aaaa", "bbbb"):
            repo.write(www___index__html=word + str(turn))
            repo.git("add", "-A")
            done = subprocess.run(
                ["git", "-c", "user.name=t", "-c", "user.email=t@t.test", "commit", "-q", "-m", word],
                cwd=repo.folder,
                env=os.environ | {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when},
                capture_output=True,
            )
            assert done.returncode == 0
            repo.push()
            assert host.get(host.url_host(app)) == (200, word + str(turn))


def test_the_live_commit_can_be_cloned(host, app, repo, tmp_path):
    repo.push()
    repo.commit(www___index__html="cloned")
    repo.push()
    repo.git("clone", "-q", repo.git("remote", "get-url", "paas").stdout.strip(), str(tmp_path / "clone"))
    assert (tmp_path / "clone/www/index.html").read_text() == "cloned"
    refs = repo.git("ls-remote", "paas").stdout
    assert "refs/minipaas" not in refs


def test_a_failed_push_moves_no_branch_and_no_page(host, app, repo):
    repo.push()
    before = repo.git("ls-remote", "paas").stdout
    repo.commit(Dockerfile=f'FROM {BUSYBOX_IMAGE}\nRUN ["false"]\n')
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "pre-receive hook declined" in refused.stderr
    assert repo.git("ls-remote", "paas").stdout == before
    assert host.get(host.url_host(app)) == (200, "hello from " + app)


def test_pushing_the_live_commit_again_does_nothing(host, app, repo):
    repo.push()
    again = repo.git("push", "paas", "main")
    assert "up-to-date" in again.stderr
    host.ssh("git:set", app, "deploy-branch", "other")
    same = repo.git("push", "paas", "main:other")
    assert "nothing to do" in same.stderr
    assert host.containers(app) == [f"{app}_v1.web.1"]


def test_a_large_pack_arrives(host, app, repo):
    (repo.folder / "blob").write_bytes(os.urandom(20 << 20))
    repo.commit(__dockerignore="blob\n")
    repo.push()
    assert host.get(host.url_host(app))[0] == 200


def test_a_procfile_gives_the_process_types_and_git_rev_is_known(host, app, repo):
    repo.commit(
        Procfile=(
            'web: echo "rev $GIT_REV" >/www/rev; exec httpd -f -p $PORT -h /www\nworker: while true; do sleep 1; done\n'
        )
    )
    repo.push()
    assert host.containers(app) == [f"{app}_v1.web.1"]
    commit = repo.git("rev-parse", "HEAD").stdout.strip()
    assert host.get(host.url_host(app), "/rev") == (200, f"rev {commit}\n")
    host.ssh("ps:scale", app, "web=2", "worker=1")
    assert host.containers(app) == [f"{app}_v1.web.1", f"{app}_v1.web.2", f"{app}_v1.worker.1"]


def test_app_json_gives_formation_and_config_at_the_first_deploy(host, app, repo):
    app_json = """{"formation": {"web": {"quantity": 2}},
      "env": {"GREETING": "hi", "TOKEN": {"generator": "secret"}, "NEEDED": {"required": true}}}"""
    repo.commit(app__json=app_json)
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "NEEDED" in refused.stderr and "config:set" in refused.stderr
    host.ssh("config:set", app, "NEEDED=1", "GREETING=mine")
    repo.push()
    assert len(host.containers(app)) == 2
    assert host.ssh("config:get", app, "GREETING").stdout == "mine\n"
    token = host.ssh("config:get", app, "TOKEN").stdout.strip()
    assert len(token) >= 32
    host.ssh("config:set", app, "GREETING=again")
    repo.commit(www___index__html="more")
    repo.push()
    assert host.ssh("config:get", app, "GREETING").stdout == "again\n"
    assert host.ssh("config:get", app, "TOKEN").stdout.strip() == token


def test_an_exposed_port_is_routed_where_port_is_not_used(host, app, repo):
    repo.commit(
        Dockerfile=(
            f'FROM {BUSYBOX_IMAGE}\nEXPOSE 8081\nCOPY www /www\nCMD ["httpd", "-f", "-p", "8081", "-h", "/www"]\n'
        )
    )
    repo.push()
    assert host.get(host.url_host(app))[0] == 200


def test_old_processes_go_after_their_time(host, app, repo):
    host.ssh("apps:create", app)
    host.ssh("checks:set", app, "wait-to-retire", "2")
    repo.push()
    repo.commit(www___index__html="two")
    repo.push()
    wait_for(lambda: host.containers(app, every=True) == [f"{app}_v2.web.1"], 20)


def test_destroy_leaves_nothing(host, app, repo):
    repo.push()
    name = host.url_host(app)
    assert host.ssh("apps:destroy", app, "--now", input="wrong\n", ok=False).returncode != 0
    host.ssh("apps:destroy", app, "--now", input=app + "\n")
    assert host.get(name)[0] == 404
    assert host.containers(app, every=True) == []
    assert app not in host.ssh("apps:list").stdout.split()
    assert not docker("images", "-q", f"minipaas/{app}").strip()
    repo.commit(www___index__html="anew")
    pushed = repo.push()
    assert f"{app} v2 is live" in pushed.stderr  # a release number is never given twice


def test_a_destroyed_app_comes_back_from_the_trash(host, app, repo, tmp_path):
    repo.push()
    host.ssh("config:set", app, "A=1")
    host.ssh("domains:add", app, f"www.{app}.test")
    host.ssh("apps:destroy", app, "--force")
    assert host.get(f"www.{app}.test")[0] == 404 and host.containers(app, every=True) == []
    assert [
        row["id"] for row in json.loads(host.ssh("apps:trash", "--format", "json").stdout) if row["app"] == app
    ] == [f"{app}.1"]
    assert "is back" in host.ssh("apps:restore", app).stderr
    assert host.get(f"www.{app}.test") == (200, "hello from " + app)
    assert host.ssh("config:get", app, "A").stdout == "1\n" and app not in host.ssh("apps:trash").stdout
    repo.git("clone", "-q", f"ssh://paas@127.0.0.1:{host.port}/{app}", str(tmp_path / "clone"))
    assert (tmp_path / "clone" / "Dockerfile").exists()
    assert f"{app} v5 is live" in (repo.commit(www___index__html="on") or repo.push()).stderr


def test_a_release_task_that_fails_keeps_the_old_release(host, app, repo):
    repo.push()
    repo.commit(Procfile="release: exit 3\nweb: exec httpd -f -p $PORT -h /www\n", www___index__html="new")
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "exit code 3" in refused.stderr
    assert host.get(host.url_host(app)) == (200, "hello from " + app)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("exit 4", "exit code 4"),
        ("exec httpd -f -p 127.0.0.1:$PORT -h /www", "127.0.0.1"),
        ("exec httpd -f -p 9999 -h /www", "9999"),
        ("exec no-such-program", "127"),
    ],
    ids=["crashes", "loopback", "wrong port", "not found"],
)
def test_a_web_process_that_does_not_come_up_keeps_the_old_release(host, app, repo, command, said):
    repo.push()
    repo.commit(**web("new", command=command))
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and said in refused.stderr
    assert "v1 is still live" in refused.stderr
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    assert host.containers(app, every=True) == [f"{app}_v1.web.1"]
    assert host.ssh("logs:failed", app).stdout


def test_a_worker_that_fails_keeps_the_old_web_too(host, app, repo):
    repo.commit(Procfile="web: exec httpd -f -p $PORT -h /www\nworker: while true; do sleep 1; done\n")
    repo.push()
    host.ssh("ps:scale", app, "worker=1")
    repo.commit(Procfile="web: exec httpd -f -p $PORT -h /www\nworker: exit 1\n", www___index__html="new")
    assert repo.push(ok=False).returncode != 0
    assert host.get(host.url_host(app)) == (200, "hello from " + app)
    assert host.containers(app, every=True) == [f"{app}_v1.web.1", f"{app}_v1.worker.1"]
