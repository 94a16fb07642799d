"""Several heads: who may join, who steps out, and how commits get from one to another."""

import os
import ssl
import subprocess

import pytest

from minipaas_lib import api, cluster_settings, errors
from minipaas_lib.store.directory import DirectoryStore
from plugins.cluster.head import follower_process, git_sync, head_registry, init, join_head, leave
from plugins.cluster.transport import git_client, protocol, tls

SETTINGS = cluster_settings.ClusterSettings(("http://10.0.0.1:2379",), fleet="unix:///var/run/fleet.sock")


@pytest.fixture
def etcd(world, fake, monkeypatch, tmp_path):
    """A world whose cluster keeps its state in a folder, and is used as soon as cluster.toml is there."""
    from minipaas_lib import store as stores

    shared = DirectoryStore(str(tmp_path / "etcd"), str(tmp_path / "etcd-locks"))
    own = api.kernel.open_directory()
    monkeypatch.setattr(api.kernel, "open_cluster", lambda found: shared, raising=False)
    monkeypatch.setattr(api.kernel, "store", lambda: shared if api.kernel.cluster.settings() else own, raising=False)
    monkeypatch.setattr(stores, "is_current", lambda: True)
    monkeypatch.setattr(init, "forget", lambda: None)
    monkeypatch.setattr(init, "wait_for_head", lambda: None)
    monkeypatch.setattr(follower_process, "ensure_running", lambda: None)
    monkeypatch.setattr(api, "notify", lambda hook: noted.append(hook), raising=False)
    noted = shared.noted = []
    return shared


@pytest.fixture
def cluster(etcd):
    """With one head, web1."""
    api.kernel.documents.write(etcd, head_registry.path("web1"), {"address": "10.0.0.9", "machine": "1" * 32})
    etcd.write("cluster/head.toml", 'ca = ""\n')
    etcd.write("routers/head-web1", "x = 1\n", ttl=60)
    return etcd


def test_a_host_without_apps_becomes_a_head(cluster):
    assert [(one.ok, one.said) for one in join_head.findings(SETTINGS)] == [(True, "web1")]
    join_head.join(SETTINGS, "10.0.0.8")
    assert api.kernel.cluster.settings() == SETTINGS and cluster.noted == ["installed"]
    assert head_registry.others(cluster) == {"web1": "10.0.0.9"} and api.caller.host() in head_registry.known(cluster)
    join_head.join(SETTINGS, "10.0.0.7")
    assert head_registry.known(cluster)[api.caller.host()]["address"] == "10.0.0.7", "given again it goes on"


def test_who_may_not_join(world, cluster):
    world.ok("apps:create", "blog")
    assert [one.said for one in join_head.findings(SETTINGS) if not one.ok] == ["this host has apps of its own: blog"]
    with pytest.raises(errors.Conflict, match="have changed"):
        join_head.join(SETTINGS, "10.0.0.8")
    assert api.kernel.cluster.settings() is None and list(head_registry.known(cluster)) == ["web1"]
    world.ok("apps:destroy", "blog", "--force", "--now")
    api.kernel.documents.write(cluster, head_registry.path(api.caller.host()), {"address": "", "machine": "another"})
    assert "another head is called" in join_head.findings(SETTINGS)[0].said
    cluster.delete_tree("cluster")
    assert "does not hold the state of a cluster" in join_head.findings(SETTINGS)[0].said


def test_a_key_that_counts_no_more_is_named(cluster, capsys):
    api.kernel.open_directory().write("users/anna.toml", "x = 1\n")
    api.kernel.open_directory().write("users/ben.toml", "x = 1\n")
    cluster.write("users/ben.toml", "x = 1\n")
    join_head.join(SETTINGS, "10.0.0.8")
    said = capsys.readouterr().err
    assert "the key anna of this host" in said and "ben" not in said


def test_one_of_two_steps_out_and_nothing_is_moved(cluster, monkeypatch):
    join_head.join(SETTINGS, "10.0.0.8")
    own = api.kernel.open_directory()
    own.write("apps/old/app.toml", "x = 1\n")  # from before it was copied to etcd
    cluster.write("apps/blog/app.toml", "x = 1\n")
    repository = api.paths.repository("blog")
    os.makedirs(repository)
    monkeypatch.setattr(leave, "_move_home", lambda found: pytest.fail("an app was moved"))
    leave.leave()
    assert api.kernel.cluster.settings() is None and not leave.is_begun()
    assert list(head_registry.known(cluster)) == ["web1"] and cluster.exists("apps/blog/app.toml")
    assert not own.exists("apps/old/app.toml") and not os.path.exists(repository)
    assert os.path.isdir(os.path.join(os.path.dirname(repository) + ".left", "blog.git")), "nothing is thrown away"
    assert cluster.noted[-1] == "installed"


def test_stepping_out_goes_on_where_it_was_killed(cluster, monkeypatch):
    join_head.join(SETTINGS, "10.0.0.8")
    with monkeypatch.context() as patched:
        patched.setattr(join_head, "_put_repositories_aside", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            leave.leave()
    assert api.kernel.cluster.settings() is None and leave.is_begun()
    assert sorted(head_registry.known(cluster)) == sorted(["web1", api.caller.host()])
    leave.leave()
    assert list(head_registry.known(cluster)) == ["web1"] and not leave.is_begun()


def test_the_last_one_moves_the_apps_home_and_nobody_joins_meanwhile(cluster):
    join_head.join(SETTINGS, "10.0.0.8")
    cluster.delete("routers/head-web1")
    with pytest.raises(errors.Unavailable, match="the other heads are not responding: web1") as refused:
        join_head.may_step_out()
    assert refused.value.hint.endswith("cluster:remove web1")
    with pytest.raises(errors.UsageError, match="is alive"):
        head_registry.forget(api.caller.host())
    with pytest.raises(errors.NotFound, match="no head"):
        head_registry.forget("web9")
    head_registry.forget("web1")
    assert join_head.may_step_out() is False and head_registry.known(cluster) == {}
    assert "just joining or leaving" in join_head.findings(SETTINGS)[0].said


def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def far(tmp_path):
    """The repository of blog on another head: a release's commit on the branch trunk."""
    work, bare = tmp_path / "work", tmp_path / "far.git"
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(work)], check=True)
    (work / "page").write_text("hello")
    git(work, "add", "page")
    git(work, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "one")
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    commit = git(work, "rev-parse", "HEAD")
    git(bare, "update-ref", "refs/minipaas/v1", commit)
    git(bare, "config", "transfer.hideRefs", "refs/minipaas")
    return bare, commit


def release_of(commit):
    return api.Release("blog", 1, image="sha256:1", commands={"web": "serve"}, commit=commit)


def test_commits_come_from_the_head_that_has_them(world, cluster, far, monkeypatch, tmp_path, capsys):
    bare, commit = far
    monkeypatch.setattr(api, "live_release", lambda name: release_of(commit), raising=False)
    cluster_settings.write(SETTINGS)
    program = tmp_path / "program"  # in the place of cluster:reach, which needs another host
    program.write_text(
        f'#!/bin/sh\ntest "$1 $2 $3" = "cluster:reach 10.0.0.9 blog" || exit 9\n'
        f'exec git -c transfer.hideRefs=!refs/minipaas upload-pack "{bare}"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("MINIPAAS_PROGRAM", str(program))
    git_sync.catch_up("blog")
    assert api.repository.has_commit("blog", commit) and api.repository.kept_commits("blog") == {1: commit}
    assert api.repository.head_branch("blog") == "trunk" and api.repository.head_of("blog") == commit
    program.write_text("#!/bin/sh\nexit 1\n")
    git_sync.catch_up("blog")
    assert capsys.readouterr().err == "", "nothing is missing, so nobody is asked"
    monkeypatch.setattr(api, "live_release", lambda name: release_of("f" * 40), raising=False)
    git_sync.catch_up("blog")
    assert "the commit of v1 of blog is not on this head, and it cannot be fetched from web1" in capsys.readouterr().err


def test_an_app_without_a_release_or_a_commit_needs_nothing(world, cluster, monkeypatch):
    for live in (None, release_of("")):
        monkeypatch.setattr(api, "live_release", lambda name, live=live: live, raising=False)
        git_sync.catch_up("blog")
    assert not os.path.exists(api.paths.repository("blog"))


def test_a_head_that_does_not_answer_is_named(world, cluster, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_PORT", 1)
    monkeypatch.setattr(tls, "client_context", lambda keys: ssl.create_default_context())
    cluster_settings.write(SETTINGS)
    with pytest.raises(errors.Unavailable, match="the head at 127.0.0.1 cannot be reached"):
        git_client.reach("127.0.0.1", "blog")
