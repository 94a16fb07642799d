"""A push to a name that no app has, from the gate on: real git, the forced command, a deploy that builds nothing."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from minipaas_lib import errors, paths
from minipaas_lib.apps import lifecycle
from minipaas_lib.git import first_repository, lfs, repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.push import first_push
from minipaas_lib.records import apps
from minipaas_lib.store import open_store, schema

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PROGRAM = f"""#!{sys.executable}
import os, signal, sys, time
sys.path.insert(0, {ROOT!r})
from minipaas_lib import admission, errors, main
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import build_artifacts, receive
from minipaas_lib.git import repository
from minipaas_lib.push import first_push
from minipaas_lib.records import apps
from tests.fakes import FakeRouter, FakeScheduler

def deploy(name, commit, reason, branch=""):
    repository.keep_commit(name, commit, 1)
    end = os.environ.get("TEST_END", "")
    if end == "cancel":
        raise errors.Cancelled("cancelled before traffic moved")
    if end == "fail":
        from minipaas_lib.records import releases
        from minipaas_lib.model.release import FAILED, Release
        releases.write(Release(name, 1, "", "", "", status=FAILED, failure="no"))
        raise errors.BuildFailed("no")
    if end == "wait":
        while os.path.exists(os.environ["TEST_WAIT"]):
            time.sleep(0.02)
    if os.environ.get("TEST_LIVE"):
        from minipaas_lib.records import releases
        from minipaas_lib.model.release import Release
        release = Release(name, releases.next_number(name), "", "", "", commit=commit)
        releases.write(release)
        releases.set_live(release)
    repository.follow(name, commit, branch)

receive.deploy_commit = deploy
admission.is_admitted = lambda *_: True
build_artifacts.prune_images = lambda app: None
active_engines._engines = {{"scheduler": FakeScheduler(), "router": FakeRouter()}}
if os.environ.get("TEST_END") == "die":
    first_push.apps.write = lambda name: os.kill(os.getpid(), signal.SIGKILL)
if os.environ.get("TEST_END") == "die later":
    first_push.quarantine.link_objects = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main.program()
"""
SSH = f"""#!{sys.executable}
import os, sys
os.environ.update(SSH_ORIGINAL_COMMAND=sys.argv[-1], MINIPAAS_PROGRAM={{program!r}})
os.execv({{program!r}}, [{{program!r}}, "--key", "anna"])
"""


class Laptop:
    def __init__(self, folder, ssh):
        self.folder, self.ssh = folder, ssh
        if not folder.exists():
            subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
            self.commit("one")

    def start(self, *words, **environment):
        ours = {"GIT_SSH": str(self.ssh), "GIT_SSH_VARIANT": "simple"} | environment
        return subprocess.Popen(
            ["git", *words], cwd=self.folder, env=os.environ | ours, stderr=subprocess.PIPE, text=True
        )

    def git(self, *words, **environment):
        ours = {"GIT_SSH": str(self.ssh), "GIT_SSH_VARIANT": "simple"} | environment
        return subprocess.run(
            ["git", *words], cwd=self.folder, env=os.environ | ours, capture_output=True, text=True, timeout=60
        )

    def commit(self, text):
        (self.folder / "page").write_text(text)
        self.git("add", "-A")
        assert self.git("commit", "-q", "-m", text).returncode == 0
        return self.head()

    def head(self):
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *words, app="flsk", **environment):
        return self.git("push", f"paas@host:{app}", *(words or ["main"]), **environment)


@pytest.fixture(autouse=True)
def unsigned(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv(
        "GIT_CONFIG_NOSYSTEM", "1"
    )  # where git-lfs is installed, filters and hooks of its own are in there
    (tmp_path / "gitconfig").write_text("[user]\nname = Anna\nemail = anna@example.org\n")


@pytest.fixture
def laptop(fake, tmp_path):
    schema.check(open_store())
    program, ssh = tmp_path / "program", tmp_path / "ssh"
    program.write_text(PROGRAM)
    ssh.write_text(SSH.format(program=str(program)))
    program.chmod(0o755)
    ssh.chmod(0o755)
    return Laptop(tmp_path / "laptop", ssh)


def is_clean() -> bool:
    """Whether nothing is left of a push to a name without an app; what removes it needs a moment."""
    deadline = time.monotonic() + 10
    while os.path.isdir(paths.first_pushes()) and os.listdir(paths.first_pushes()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def is_nothing(name: str = "flsk") -> bool:
    return (
        is_clean()
        and apps.names() == []
        and not os.path.exists(paths.repository(name))
        and open_store().list(f"apps/{name}") == []
    )


def test_the_first_push_makes_the_app_and_says_so(laptop):
    done = laptop.push()
    assert done.returncode == 0, done.stderr
    assert "-----> Created flsk, which did not exist yet" in done.stderr and "apps:destroy flsk" in done.stderr
    assert apps.names() == ["flsk"] and apps.load("flsk").document["creator"] == "anna"
    assert repository.head_commit("flsk", ["main"]) == laptop.head() and is_clean()
    laptop.commit("two")
    again = laptop.push()
    assert again.returncode == 0 and "Created" not in again.stderr, again.stderr
    assert repository.head_commit("flsk", ["main"]) == laptop.head()
    assert repository.git.succeeds([f"--git-dir={paths.repository('flsk')}", "fsck", "--full", "--strict"])
    assert journal.read("flsk") == {}


def test_an_app_of_a_near_name_is_named(laptop):
    apps.write("flask")
    done = laptop.push()
    assert re.search("did you mean flask[?] To remove flsk again: ssh paas@[^ ]+ apps:destroy flsk", done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("ls-remote", "--upload-pack=git-receive-pack", "paas@host:flsk"),
        ("push", "--dry-run", "paas@host:flsk", "main"),
        ("push", "paas@host:flsk", "main:dev"),
        ("push", "paas@host:flsk", "main:refs/tags/v1"),
        ("push", "paas@host:flsk", ":main"),
    ],
)
def test_what_deploys_nothing_makes_no_app(laptop, words):
    laptop.git(*words)
    assert is_nothing()


def test_what_to_type_works_where_there_is_no_app(laptop):
    said = (
        "git push <remote> dev:main, or: ssh paas@[^ ]+ apps:create flsk, then: ssh paas@[^ ]+ git:set flsk "
        "deploy-branch dev"
    )
    assert re.search(said, laptop.push("main:dev").stderr)


def test_a_commit_that_may_not_be_deployed_makes_no_app(laptop):
    apps.edit_platform(lambda document: document.update(limits={"entries": 1}))
    laptop.commit("two")
    (laptop.folder / "another").write_text("x")
    laptop.commit("three")
    done = laptop.push()
    assert done.returncode and "more than 1 files" in done.stderr and is_nothing()


def test_a_cancelled_push_takes_the_app_back_and_a_failed_one_keeps_it(laptop):
    done = laptop.push(TEST_END="cancel")
    assert done.returncode and "flsk is removed again: nothing was deployed" in done.stderr and is_nothing()
    done = laptop.push(TEST_END="fail")
    assert done.returncode and is_clean() and apps.names() == ["flsk"], "its log and its config are needed to mend it"
    assert laptop.push().returncode == 0 and repository.head_commit("flsk", ["main"]) == laptop.head()


def test_a_push_that_is_killed_leaves_no_app(laptop):
    for end in ("die", "die later"):
        assert laptop.push(TEST_END=end).returncode
        assert is_clean()
        if end == "die later":
            assert journal.read("flsk")["operation"] == "create by push"
        lifecycle.recover_all()
        assert is_nothing()
    assert laptop.push().returncode == 0


def test_two_first_pushes_at_the_same_time_make_one_app(laptop, tmp_path):
    second = Laptop(tmp_path / "second", laptop.ssh)
    second.commit("another")
    wait = tmp_path / "wait"
    wait.write_text("")
    how = {"GIT_SSH": str(laptop.ssh), "GIT_SSH_VARIANT": "simple", "TEST_END": "wait", "TEST_WAIT": str(wait)}
    first = subprocess.Popen(
        ["git", "push", "paas@host:flsk", "main"],
        cwd=laptop.folder,
        env=os.environ | how,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not apps.names() or not locks.held_by("flsk") or journal.read("flsk"):
        time.sleep(0.02)
    # What the second one was told when it began: that there is no branch. Here its whole push comes in between.
    refused = second.push("-f", "main")
    assert refused.returncode and "flsk is locked by 'git push' (key anna" in refused.stderr
    wait.unlink()
    assert first.wait(30) == 0, first.communicate()
    assert repository.head_commit("flsk", ["main"]) == laptop.head() and is_clean()


def test_a_push_that_began_when_there_was_no_app_does_not_overwrite_another(laptop, monkeypatch, tmp_path):
    assert laptop.push().returncode == 0
    folder = os.path.join(paths.first_pushes(), "1-a", "flsk.git")
    repository.create_at(folder)
    monkeypatch.chdir(folder)
    assert (
        first_repository.repository_of("flsk") == os.path.realpath(folder)
        and first_repository.repository_of("blog") == ""
    )
    monkeypatch.setattr(repository, "check_commit", lambda *_: None)
    with pytest.raises(errors.Conflict) as caught:
        first_push.accept("flsk", "1" * 40, "main")
    assert caught.value.message.startswith("flsk was created by another push in the meantime")


def test_where_a_push_may_create_no_app_it_is_refused_before_anything_comes(laptop):
    apps.edit_platform(lambda document: document.update({"create-on-push": False}))
    done = laptop.push()
    assert done.returncode and "there is no app" in done.stderr and "Created" not in done.stderr and is_nothing()


def test_the_old_name_of_an_app_is_not_made_anew(laptop):
    apps.write("blog")
    apps.note_renamed("flsk", "blog")
    done = laptop.push()
    assert done.returncode and "app flsk was renamed to blog" in done.stderr and apps.names() == ["blog"] and is_clean()


def refs(name: str = "flsk") -> list[str]:
    return (
        repository.git.run(
            [f"--git-dir={paths.repository(name)}", "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags"]
        )
        .decode()
        .split()
    )


@pytest.mark.parametrize("first", [True, False], ids=["first push", "later push"])
def test_what_deploys_is_deployed_and_what_does_not_is_refused_alone(laptop, first):
    if not first:
        assert laptop.push().returncode == 0
        laptop.commit("two")
    for words in (
        ["branch", "dev"],
        ["branch", "a/b"],
        ["tag", "-a", "-m", "x", "v1"],
        ["tag", "light"],
        ["notes", "add", "-m", "n"],
    ):
        assert laptop.git(*words).returncode == 0
    done = laptop.push("--mirror")
    assert done.returncode == 1, "git says so of what it refused"
    assert "'dev' is not deployed by flsk" in done.stderr and '"refs/notes/commits" is not a branch' in done.stderr
    assert "main is deployed anyway" in done.stderr and "stored, not deployed: the tags light, v1" in done.stderr
    assert (
        "dev -> dev (hook declined)" in done.stderr
        and "main -> main" in done.stderr
        and "main -> main (" not in done.stderr
    )
    assert (
        refs() == ["refs/heads/main", "refs/tags/light", "refs/tags/v1"]
        and repository.head_commit("flsk", ["main"]) == laptop.head()
    )
    laptop.commit("three")
    assert not laptop.push("main").returncode and is_clean()
    assert not any(name.startswith("refused-") for name in os.listdir(paths.repository("flsk"))), (
        "the next push clears up"
    )


def test_tags_beside_a_branch_and_the_follow_up_of_them(laptop):
    laptop.git("tag", "-a", "-m", "x", "v1")
    done = laptop.push("--follow-tags", "main")
    assert done.returncode == 0 and refs() == ["refs/heads/main", "refs/tags/v1"], done.stderr
    assert laptop.push(":refs/tags/v1").returncode == 0 and refs() == ["refs/heads/main"]
    assert laptop.push("v1").returncode == 1, "nothing is live here, so it was meant to be deployed"


def test_an_atomic_push_is_refused_by_git_itself(laptop):
    done = laptop.push("--atomic", "main")
    assert done.returncode and "does not support --atomic" in done.stderr and is_nothing()


def test_a_list_of_an_earlier_push_with_our_number_counts_no_more(laptop):
    assert laptop.push().returncode == 0
    for pid in range(2, 400):
        open(os.path.join(paths.repository("flsk"), f"refused-{pid}"), "w").write("refs/heads/main\n")
    laptop.commit("two")
    assert laptop.push().returncode == 0


def test_a_push_waits_where_it_is_told_to(laptop, tmp_path):
    assert laptop.push().returncode == 0
    laptop.commit("two")
    with locks.app_lock("flsk"):
        done = laptop.push()
        assert done.returncode and "flsk is locked by" in done.stderr
        assert "or: git push -o wait" in done.stderr and "--wait" not in done.stderr
        done = laptop.push("-o", "wait=0.2", "-o", "ci.skip", "main")
        assert (
            done.returncode
            and "waiting for it, 0.2 seconds at most" in done.stderr
            and '"ci.skip": ignored, there is no such push option' in done.stderr
        )
        how = {"GIT_SSH": str(laptop.ssh), "GIT_SSH_VARIANT": "simple"}
        patient = subprocess.Popen(
            ["git", "push", "-o", "wait", "paas@host:flsk", "main"],
            cwd=laptop.folder,
            env=os.environ | how,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = ""
        while "waiting for it" not in line:
            line = patient.stderr.readline()
            assert line
    assert patient.communicate(timeout=60) and patient.returncode == 0
    assert repository.head_commit("flsk", ["main"]) == laptop.head()
    laptop.commit("three")
    assert 'the push option wait takes seconds, not "soon"' in laptop.push("-o", "wait=soon", "main").stderr


def test_a_push_that_waited_for_another_goes_on_from_it_or_is_refused(laptop, monkeypatch, tmp_path):
    """git told both where the branch was; it would refuse the second one after its deploy."""
    monkeypatch.setenv("TEST_LIVE", "1")  # what is live tells where git is about to move the branch
    assert laptop.push().returncode == 0
    shutil.copytree(laptop.folder, tmp_path / "rival")
    rival = Laptop(tmp_path / "rival", laptop.ssh)
    rival.commit("another way")
    laptop.commit("two")
    wait = tmp_path / "wait"
    wait.write_text("")
    pushes = [laptop.start("push", "paas@host:flsk", "main", TEST_END="wait", TEST_WAIT=str(wait))]
    while not locks.held_by("flsk"):
        time.sleep(0.02)
    laptop.commit("three")
    for one in (laptop, rival):
        pushes.append(one.start("push", "-f", "-o", "wait", "paas@host:flsk", "main"))
        while "waiting for it" not in pushes[-1].stderr.readline():
            assert pushes[-1].poll() is None
    wait.unlink()
    said = [push.communicate(timeout=60)[1] for push in pushes]
    assert [push.returncode for push in pushes[:2]] == [0, 0], said
    assert pushes[2].returncode and "since this push began" in said[2]
    assert repository.head_commit("flsk", ["main"]) == laptop.head() == repository.kept_commits("flsk")[1]


def test_objects_of_git_lfs_come_before_the_app_and_go_along(laptop, monkeypatch, tmp_path):
    """git-lfs sends them while git waits; here by hand, from git's own pre-push hook."""
    content = b"a picture"
    oid = hashlib.sha256(content).hexdigest()
    lines = [b"put-object %s\n" % oid.encode(), b"size=%d\n" % len(content)]
    (tmp_path / "put").write_bytes(
        b"".join(b"%04x" % (len(line) + 4) + line for line in lines)
        + b"0001%04x" % (len(content) + 4)
        + content
        + b"0000"
    )
    hook = laptop.folder / ".git" / "hooks" / "pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{laptop.ssh} 'git-lfs-transfer flsk upload' < {tmp_path}/put\n")
    hook.chmod(0o755)
    done = laptop.push()
    assert done.returncode == 0, done.stderr
    with open(lfs.object_path(paths.repository("flsk"), oid), "rb") as file:
        assert file.read() == content
    assert is_clean()


def test_leftovers_go_and_what_is_in_use_stays(world, monkeypatch):
    monkeypatch.setattr("minipaas_lib.journal.background.spawn", lambda work: None)
    folder = os.path.dirname(first_push.prepare("flsk"))
    left = os.path.join(paths.first_pushes(), "1-b")
    os.makedirs(os.path.join(left, "blog.git"))
    first_repository.tidy()
    assert os.path.exists(folder) and not os.path.exists(left)
    assert apps.names() == [] and world("apps:list").out.find("flsk") < 0


def test_a_folder_that_somebody_tidies_up_at_once_is_made_again(world, monkeypatch):
    monkeypatch.setattr("minipaas_lib.journal.background.spawn", lambda work: None)
    os.makedirs(paths.first_pushes())
    make, made = os.makedirs, []

    def make_for_another(path, **settings):
        make(path, **settings)
        made.append(path)
        if len(made) == 1:
            os.rmdir(path)

    monkeypatch.setattr(os, "makedirs", make_for_another)
    folder = os.path.dirname(first_push.prepare("flsk"))
    assert made[:2] == [made[0], folder] and folder != made[0] and os.path.isdir(folder)


def test_an_app_is_created_under_its_lock(fake, monkeypatch):
    """Else a push that makes the app at the same moment would fail, and remove this one as its own."""
    write, held = apps.write, []
    monkeypatch.setattr(
        apps, "write", lambda name, wishes=None: held.append(locks.is_held(name)) or write(name, wishes)
    )
    lifecycle.create("flsk")
    assert held == [True] and apps.names() == ["flsk"] and not locks.held_by("flsk")


def test_tags_of_one_commit_are_looked_at_once(world, monkeypatch):
    from minipaas_lib.model.release import Release
    from minipaas_lib.push import pre_receive
    from minipaas_lib.records import releases

    asked = []
    monkeypatch.setattr(releases, "live", lambda name: Release(name, 1, "", "", "", commit="1" * 40))
    monkeypatch.setattr(repository, "commit_behind", lambda folder, name: asked.append(name) or "1" * 40)
    is_live = pre_receive._looks_live("flsk", "")
    assert all(is_live("1" * 40) for _ in range(1000)) and is_live("2" * 40) and asked == ["1" * 40, "2" * 40]
