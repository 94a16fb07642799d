"""An app gets another name while it serves; killed before and after each step, it has one name or the other, whole."""

import os
import subprocess

import pytest

from minipaas_lib import errors, paths, store
from minipaas_lib.apps import lifecycle, rename
from minipaas_lib.bus import manager
from minipaas_lib.deploy import drain, drain_worker
from minipaas_lib.git import git, repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.push import first_push
from minipaas_lib.records import apps, releases, trashed
from tests import kill_points
from tests.unit.apps.test_crash import Mortal

GIT = {
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@t.test",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@t.test",
}


def a_commit(app: str) -> str:
    """A commit on the branch main of an app's repository."""
    folder = repository.create(app)
    run = {"check": True, "capture_output": True, "text": True, "env": os.environ | GIT}
    tree = subprocess.run(["git", f"--git-dir={folder}", "mktree"], input="", **run).stdout.strip()
    made = subprocess.run(["git", f"--git-dir={folder}", "commit-tree", tree, "-m", "x"], **run).stdout.strip()
    subprocess.run(["git", f"--git-dir={folder}", "update-ref", "refs/heads/main", made], **run)
    repository.set_head(app, "main")
    return made


@pytest.fixture
def blog(world, fake):
    """Two web and one worker, live as v2, of a repository with a commit; it has a domain of its own."""
    world.ok("apps:create", "blog")
    world.ok("domains:set-global", "apps.test")
    world.ok("domains:add", "blog", "blog.test")
    world.ok("ps:scale", "blog", "web=2", "worker=1")
    fake.commit = a_commit("blog")
    fake.deploy("blog", {"web": "serve", "worker": "work"}, commit=fake.commit)
    world.ok("config:set", "blog", "A=1")
    repository.keep_commit("blog", fake.commit, 1)
    drain.forget("blog")
    fake.spawned.clear()
    return fake


def documents(app: str) -> dict[str, str]:
    opened = store.open_store()
    found = {path.split("/", 2)[2]: opened.read(path).text for path in opened.list(f"apps/{app}")}
    return {path: text for path, text in found.items() if path not in ("retiring.toml", "trial.toml")}


def is_blog(blog, before: dict[str, str]) -> None:
    """Nothing of a renaming is left."""
    assert apps.names() == ["blog"] and documents("blog") == before
    assert set(store.open_store().children("apps")) == {"blog"}
    assert blog.router.routes() == ["blog"] and len(blog.routed("blog")) == 2
    assert blog.scheduler.names() == blog.scheduler.adopted() == ["blog_v2.web.1", "blog_v2.web.2", "blog_v2.worker.1"]
    assert not os.path.exists(paths.repository("journal")) and repository.has_commit("blog", blog.commit)
    assert os.listdir(paths.work()) == []


def is_journal(blog, before: dict[str, str]) -> None:
    """It is renamed, and only its old processes are left, on their way out."""
    assert apps.names() == ["journal"]
    after = documents("journal")
    number = releases.live("journal").number
    assert after.pop("live") == f"{number}\n" and after.pop(f"releases/{number}.toml")
    assert after == {path: text for path, text in before.items() if path != "live"}, "all of its documents go along"
    assert [release.number for release in releases.all_of("journal")] == [1, 2, number] and number > 2
    assert releases.live("journal").status == "released" and releases.live("journal").reason == "renamed from blog"
    assert blog.router.routes() == ["journal"] and blog.router.applied("journal") == f"v{number}"
    names = [f"journal_v{number}.web.1", f"journal_v{number}.web.2", f"journal_v{number}.worker.1"]
    assert blog.scheduler.adopted() == names and blog.routed("journal") == names[:2]
    assert set(blog.router.table["journal"].domains) == {"blog.test", "journal.apps.test"}
    assert store.open_store().list("apps/blog") == ["apps/blog/retiring.toml"] and set(blog.scheduler.names()) - set(
        names
    ) == drain.waiting("blog")
    assert "blog" in blog.spawned
    assert not os.path.exists(paths.repository("blog")) and repository.has_commit("journal", blog.commit)
    assert repository.kept_commits("journal") == {1: blog.commit} and repository.head_of("journal") == blog.commit
    assert os.listdir(paths.work()) == []
    assert apps.renamed_to("blog") == "journal"


def serves(blog) -> bool:
    """Whether every request finds a running process, whichever of two routes with its domain gets it."""
    return bool(blog.router.routes()) and all(blog.routed(app) for app in blog.router.routes())


def test_a_renaming(blog, world, monkeypatch):
    before, told = documents("blog"), []
    notify = manager.notify
    monkeypatch.setattr(manager, "notify", lambda hook, **about: (told.append((hook, about)), notify(hook, **about)))
    os.makedirs(paths.output("blog"), exist_ok=True)
    with open(paths.output("blog") + "/v1.log", "w") as file:
        file.write("built\n")
    said = world("apps:rename", "blog", "journal")
    assert said.status == 0 and "blog is now called journal, v3" in said.err and "http://blog.test" in said.err
    assert "journal no longer answers at blog.apps.test: journal.apps.test is now its default domain" in said.err
    is_journal(blog, before)
    renamed = [about for hook, about in told if hook == "app_renamed"]
    assert [(about["app"].name, about["former"]) for about in renamed] == [("journal", "blog")]
    deployed = [about for hook, about in told if hook == "after_deploy"]
    assert [(about["release"].number, about["previous"].number, about["previous"].app) for about in deployed] == [
        (3, 2, "journal")
    ]
    assert sorted(os.listdir(paths.output("journal"))) == ["v1.log", "v2.log", "v3.log"] and not os.path.exists(
        paths.output("blog")
    )
    drain.forget("blog")
    drain_worker.forget_renamed("blog")
    assert store.open_store().children("apps") == ["journal"] and blog.scheduler.names() == blog.scheduler.adopted()
    world.ok("releases:rollback", "journal", "v1")
    assert releases.live("journal").number == 4


@pytest.mark.sample("a renaming killed", 24)
@pytest.mark.parametrize("recovered_by", ["blog", "journal"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 19))
def test_a_renaming_killed(blog, monkeypatch, number, when, recovered_by):
    mortal = Mortal(blog, monkeypatch)
    target: list = [(number, when)]

    def pass_point(journal, app, number, when, what):
        if (number, when) in target:
            target.clear()
            mortal.die()

    monkeypatch.setattr(kill_points, "pass_point", pass_point)
    before = documents("blog")
    killed = mortal(lambda: rename.rename("blog", "journal"))
    assert killed == (not target), "every point below the last is one"
    assert killed or number > 14
    assert serves(blog), "somebody serves at every moment"
    with locks.name_lock(recovered_by):
        pass
    for app in ("blog", "journal"):
        assert journal.read(app) == {}
        with locks.name_lock(app):
            pass
    if apps.names() == ["blog"]:
        assert killed
        is_blog(blog, before)
        rename.rename("blog", "journal")
    is_journal(blog, before)


def test_what_cannot_start_leaves_the_old_name(blog, world):
    before = documents("blog")
    blog.scheduler.crashing = {"worker"}
    failed = world("apps:rename", "blog", "journal")
    assert failed.status != 0 and "blog is as it was" in failed.err
    is_blog(blog, before)
    assert os.listdir(paths.output("journal")) == []
    blog.scheduler.crashing = set()
    world.ok("apps:rename", "blog", "journal")
    assert releases.live("journal").number == 4, "a number is not used twice"


def test_a_refusal_of_a_plugin_leaves_the_old_name(blog, world, plugs):
    before = documents("blog")
    code = (
        "from minipaas_lib import api\n\n\n"
        "@api.hookimpl\n"
        "def before_release(app):\n"
        "    raise api.errors.Denied('not on a Friday')\n"
    )
    plugs.add("friday", ["before_release"], hooks_py=code)
    assert "not on a Friday" in world("apps:rename", "blog", "journal").err
    is_blog(blog, before)


def test_the_router_may_refuse(blog, world):
    before = documents("blog")
    blog.router.breaks["apply"] = errors.Unavailable("nginx does not answer")
    assert "nginx does not answer" in world("apps:rename", "blog", "journal").err
    is_blog(blog, before)


def test_what_fails_after_the_move_is_done_by_the_next_command(blog, world):
    before = documents("blog")
    blog.router.breaks["remove"] = errors.Unavailable("nginx does not answer")
    assert world("apps:rename", "blog", "journal").status != 0 and serves(blog)
    assert "Finishing the rename of blog to journal" in world("doctor", "--fix").err
    is_journal(blog, before)


@pytest.mark.parametrize("how", ["stopped", "skip", "undeployed"])
def test_an_app_without_processes(blog, world, how):
    if how == "undeployed":
        world.ok("apps:create", "shop")
        world.ok("config:set", "shop", "B=2")
        a_commit("shop")
        world.ok("apps:rename", "shop", "store")
        assert apps.load("store").config == {"B": "2"} and releases.live("store") is None and "store" in apps.names()
        assert store.open_store().list("apps/shop") == [] and repository.head_of("store")
        return
    if how == "stopped":
        world.ok("ps:stop", "blog")
    world.ok("apps:rename", *(["--skip-deploy"] if how == "skip" else []), "blog", "journal")
    assert apps.load("journal").stopped and blog.scheduler.adopted() == []
    assert blog.router.routes() == ["journal"] and blog.router.table["journal"].state == "no-web"
    world.ok("ps:start", "journal")
    assert blog.routed("journal") == ["journal_v4.web.1", "journal_v4.web.2"]


def test_an_app_that_cannot_run_twice(blog, world):
    world.ok("checks:disable", "blog")
    order: list = []
    start, stop = blog.scheduler.start, blog.scheduler.stop
    blog.scheduler.start = lambda spec: (order.append("start"), start(spec))[1]
    blog.scheduler.stop = lambda process, timeout=None: (order.append("stop"), stop(process, timeout))[1]
    drain.forget("blog")
    order.clear()
    world.ok("apps:rename", "blog", "journal")
    assert order == ["stop"] * 3 + ["start"] * 3
    drain.forget("blog")
    blog.scheduler.crashing = {"worker"}
    assert world("apps:rename", "journal", "diary").status != 0
    blog.scheduler.crashing = set()
    world.ok("ps:restore", "journal")
    assert len(blog.routed("journal")) == 2 and len(blog.scheduler.adopted()) == 3


def test_what_was_called_so_is_said(blog, world):
    world.ok("apps:rename", "blog", "journal")
    refused = world("config:set", "blog", "A=1")
    assert (
        refused.status == 1 and "app blog was renamed to journal" in refused.err and "config:set journal" in refused.err
    )
    with pytest.raises(errors.NotFound, match="renamed to journal"):
        first_push.check("blog")
    world.ok("apps:rename", "journal", "diary")
    assert "app blog was renamed to diary" in world("config", "blog").err
    world.ok("apps:create", "blog")
    assert apps.renamed_to("blog") == "" and releases.coming_number("blog") == 3, "its numbers go on"
    world.ok("apps:destroy", "diary", "--force")
    assert "there is no app" in world("config", "journal").err
    first_push.check("journal")


def test_there_and_back(blog, world):
    world.ok("apps:rename", "blog", "journal")
    assert drain.waiting("blog")
    world.ok("apps:rename", "journal", "blog")
    assert apps.names() == ["blog"] and releases.live("blog").number == 4 and apps.renamed_to("journal") == "blog"
    assert apps.renamed_to("blog") == "" and blog.routed("blog") == ["blog_v4.web.1", "blog_v4.web.2"]
    assert "blog_v2.web.1" in drain.waiting("blog"), "what retires goes on retiring"


def test_numbers_of_a_former_app_of_the_new_name_are_not_used_again(blog, world):
    world.ok("apps:create", "journal")
    for _ in range(5):
        blog.deploy("journal")
    world.ok("apps:destroy", "journal", "--force")
    world.ok("apps:rename", "blog", "journal")
    assert releases.live("journal").number == 6
    assert trashed.entries_of("journal") == ["journal.1"]


@pytest.mark.parametrize(
    "words", [["blog", "blog"], ["blog", "shop"], ["nobody", "x"], ["blog", "Bad"], ["blog", "../x"], ["blog"]]
)
def test_names_that_cannot_be_taken(blog, world, words):
    world.ok("apps:create", "shop")
    world.refused("apps:rename", *words)


def test_locks(blog, world):
    for name in ("blog", "journal"):
        with store.open_store().lock(f"apps/{name}", locks.holder()._replace(key="anna")):
            assert "anna" in world("apps:rename", "blog", "journal").err
    world.ok("apps:lock", "blog", "--message", "moving")
    assert world("apps:rename", "blog", "journal").status == 75


def test_a_reboot_in_the_middle_of_the_old_ones_going(blog, world):
    world.ok("apps:rename", "blog", "journal")
    blog.spawned.clear()
    lifecycle.recover_all()
    assert "blog" in blog.spawned


def test_a_repository_that_was_packed(blog):
    git.run([f"--git-dir={paths.repository('blog')}", "pack-refs", "--all"])
    git.run([f"--git-dir={paths.repository('blog')}", "gc", "-q"])
    rename.rename("blog", "journal")
    assert repository.kept_commits("journal") == {1: blog.commit}
    git.run([f"--git-dir={paths.repository('journal')}", "fsck", "--full"])


def test_without_a_router_nothing_is_renamed_or_left(blog):
    blog.router.breaks["check"] = errors.Unavailable("nginx is not running, so nothing was changed")
    before, names = store.open_store().list(), blog.scheduler.names()
    with pytest.raises(errors.Unavailable, match="nothing was changed"):
        rename.rename("blog", "journal")
    assert store.open_store().list() == before and blog.scheduler.names() == names
    assert journal.read("blog") == journal.read("journal") == {}


def test_plugins_are_told_of_what_is_replaced_under_its_old_name(blog, monkeypatch):
    call, previous = manager.call, []

    def noted(hook, **about):
        previous.extend([about["previous"]] if hook == "before_deploy" else [])
        return call(hook, **about)

    monkeypatch.setattr(manager, "call", noted)
    rename.rename("blog", "journal")
    assert [(release.app, release.name) for release in previous] == [("blog", "v2")]
