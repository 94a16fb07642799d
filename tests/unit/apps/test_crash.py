"""Every command that changes an app, killed before and after each step it records: what the next one makes of it."""

import itertools
import os
import time

import pytest

from minipaas_lib import errors, paths, store
from minipaas_lib.apps import lifecycle, trash
from minipaas_lib.deploy import build_artifacts, change, drain, restore
from minipaas_lib.git import repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.records import apps, releases, trashed
from tests import kill_points


class Killed(BaseException):
    """kill -9."""


class Mortal:
    """Runs something that is killed at a point: from there on neither the store nor an engine obeys it."""

    def __init__(self, blog, monkeypatch) -> None:
        self.blog, self.dead = blog, False
        monkeypatch.setattr(journal, "die", self.die)
        kill_points.wrap(journal, monkeypatch.setattr)
        for target, methods in (
            (blog.scheduler, ["_call"]),
            (blog.router, ["_call"]),
            (type(store.open_store()), ["write", "delete", "delete_tree"]),
        ):
            for method in methods:
                monkeypatch.setattr(target, method, self.guarded(getattr(target, method)))

    def guarded(self, method):
        def call(*arguments, **named):
            if self.dead:
                raise Killed
            return method(*arguments, **named)

        return call

    def die(self):
        self.dead = True
        raise Killed

    def __call__(self, action, *points: str) -> bool:
        """Do it, killed at the first of `points` ("3 after"); whether it was. The others are for what follows."""
        self.faults(*points)
        try:
            action()
        except Killed:
            assert self.dead
        dead, self.dead = self.dead, False
        return dead

    def faults(self, *points: str) -> None:
        with open(os.path.join(paths.root(), kill_points.FAULTS), "w") as file:
            file.writelines(f"blog {point}\n" for point in points)


@pytest.fixture
def blog(world, fake):
    """An app with two web and one worker, live as v1; nobody's push goes on anywhere."""
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "web=2", "worker=1")
    fake.deploy("blog", {"web": "serve", "worker": "work"})
    os.makedirs(paths.repository("blog"))
    with open(os.path.join(paths.repository("blog"), "kept"), "w") as file:
        file.write("history")
    return fake


@pytest.fixture
def mortal(blog, monkeypatch):
    return Mortal(blog, monkeypatch)


def edited(**tables):
    def edit(document):
        for name, values in tables.items():
            document.setdefault(name, {}).update(values)

    return edit


OPERATIONS = {
    "config": lambda blog: change.change("blog", "config", edited(config={"A": "1"})),
    "up": lambda blog: change.change("blog", "scale", edited(formation={"web": 3})),
    "down": lambda blog: change.change("blog", "scale", edited(formation={"web": 1, "worker": 0})),
    "restart": lambda blog: change.change("blog", "restart", force=True),
    "deploy": lambda blog: blog.deploy("blog", {"web": "serve"}, image="sha256:2", tasks={"release": "migrate"}),
}


def points(mortal, action):
    """All points of an action, found by doing it once with a point that never comes."""
    mortal(action, "0 never")
    with open(os.path.join(paths.root(), kill_points.FAULTS + ".seen")) as file:
        return [" ".join(line.split()[1:3]) for line in file]


def next_command() -> None:
    with locks.app_lock("blog"):
        pass


def check(blog, before: str) -> None:
    """Whatever happened, the app is whole: as it was, or as it was to be."""
    assert journal.read("blog") == {} and os.listdir(paths.work()) == []
    live, waiting = releases.live("blog"), drain.waiting("blog")
    counting = [name for name in blog.scheduler.names() if name not in waiting]
    assert counting == blog.scheduler.adopted()
    assert blog.router.applied("blog") == live.name and live.status == "released"
    assert len(counting) == sum(live.formation.values()) and len(blog.routed("blog")) == live.formation["web"]
    assert all(release.status in ("released", "failed") for release in releases.all_of("blog"))
    text = store.open_store().read("apps/blog/app.toml").text
    assert (text == before) or live.number > 1
    assert not waiting or "blog" in blog.spawned


STEPS = range(1, 14)


@pytest.mark.sample("a rollout killed", 40)
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", STEPS)
def test_a_rollout_killed(blog, mortal, name, number, when):
    before = store.open_store().read("apps/blog/app.toml").text
    killed = mortal(lambda: OPERATIONS[name](blog), f"{number} {when}")
    assert blog.routed("blog"), "somebody serves at every moment"
    next_command()
    check(blog, before)
    assert killed or releases.live("blog").number == 2, "what was not killed succeeds"


def test_a_file_named_faults_kills_nobody_but_in_a_test(blog, monkeypatch):
    monkeypatch.setattr(journal, "die", lambda: pytest.fail("it dies"))
    with open(os.path.join(paths.root(), kill_points.FAULTS), "w") as file:
        file.write("blog 1 before\n")
    OPERATIONS["config"](blog)
    assert releases.live("blog").number == 2 and not os.path.exists(os.path.join(paths.root(), "faults.seen"))


def test_the_steps_above_are_enough(blog, mortal):
    assert all(
        max(int(point.split()[0]) for point in points(mortal, lambda action=action: action(blog))) in STEPS
        for action in OPERATIONS.values()
    )


@pytest.mark.sample("the recovery killed too", 10)
@pytest.mark.parametrize("name", ["config", "up", "deploy"])
@pytest.mark.parametrize("number", range(1, 11))
def test_the_recovery_killed_too(blog, mortal, name, number):
    before = store.open_store().read("apps/blog/app.toml").text
    mortal(lambda: OPERATIONS[name](blog), f"{number} after")
    for again in range(1, 8):
        mortal(next_command, f"{again} {'before' if again % 2 else 'after'}")
    next_command()
    check(blog, before)


def test_after_deploy_is_told_again_after_a_kill(blog, mortal, monkeypatch):
    told = []
    monkeypatch.setattr(
        "minipaas_lib.bus.manager.notify", lambda hook, **about: told.append((hook, about.get("previous")))
    )
    for number in range(1, 14):
        if (
            mortal(lambda: OPERATIONS["restart"](blog), f"{number} before")
            and journal.last_step("blog") == "tell the plugins"
        ):
            told.clear()
            next_command()
            assert [previous.number for hook, previous in told if hook == "after_deploy"] == [
                releases.live("blog").number - 1
            ]
            return
        next_command()
    raise AssertionError("there is no such step")


def test_what_was_interrupted_is_said(blog, mortal, world):
    mortal(lambda: OPERATIONS["config"](blog), "2 before")
    where = lifecycle.interrupted("blog").removeprefix("a command was killed ")
    assert where in ("(start blog_v2.web.1)", "(start blog_v2.web.2)"), "they start side by side"
    said = world("config:set", "blog", "B=2").err
    assert f"Undoing v2 of blog, which was interrupted {where}" in said
    assert releases.load("blog", 2).failure == f"its process was killed {where}"
    assert releases.live("blog").number == 3 and lifecycle.interrupted("blog") == ""


def test_a_build_that_was_killed(blog):
    """Its number is used up, its commit and its image go, and it stays in the list."""
    number = releases.next_number("blog")
    journal.begin("blog", "rollout", release=number, previous=1, commit="c" * 40, reason="git push", branch="main")
    folder = build_artifacts.build_folder("blog", number)
    os.mkdir(folder + "/source")
    other = build_artifacts.build_folder("blog-2", 1)
    next_command()
    assert os.listdir(paths.work()) == [os.path.basename(other)]
    failed = releases.load("blog", number)
    assert (failed.status, failed.commit, failed.reason) == ("failed", "c" * 40, "git push") and failed.key == "root"


def test_images_that_no_release_has_are_named(blog, monkeypatch):
    told = []
    monkeypatch.setattr("minipaas_lib.bus.manager.notify", lambda hook, **about: told.append((hook, about)))
    blog.deploy("blog", image="sha256:2")
    app = apps.load("blog")
    build_artifacts.prune_images(app)
    trash.destroy("blog")
    lifecycle.create("blog")
    build_artifacts.prune_images(app)
    asked = [about for hook, about in told if hook == "images_unused"]
    assert asked == 2 * [{"app": app, "kept": {"sha256:1", "sha256:2"}, "newest": 2}], "those in the trash are kept"


def test_recovery_comes_before_the_refusal_of_a_locked_app(blog, mortal):
    mortal(lambda: OPERATIONS["config"](blog), "2 after")
    locks.lock_app("blog", "moving")
    with pytest.raises(errors.Locked, match="moving"):
        next_command()
    assert journal.read("blog") == {} and blog.scheduler.names() == blog.scheduler.adopted()


def test_doctor_fix(blog, mortal, world):
    mortal(lambda: OPERATIONS["config"](blog), "3 after")
    assert "a command was killed" in world("doctor").out
    assert "cleaned up after an interrupted command" in world("doctor", "--fix").err
    assert "a command was killed" not in world("doctor").out
    assert "nothing was left unfinished" in world("doctor", "--fix").err


# -- what makes no release -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [f"{number} {when}" for number in range(1, 6) for when in ("before", "after")])
def test_a_stop_killed(blog, mortal, point):
    mortal(lambda: lifecycle.stop("blog"), point)
    next_command()
    assert journal.read("blog") == {} and apps.load("blog").stopped
    assert blog.scheduler.names() == [] and blog.router.table["blog"].state == "no-web"


@pytest.mark.sample("a start killed", 10)
@pytest.mark.parametrize("point", [f"{number} {when}" for number in range(1, 15) for when in ("before", "after")])
def test_a_start_killed(blog, mortal, point):
    lifecycle.stop("blog")
    killed = mortal(lambda: lifecycle.start("blog"), point)
    next_command()
    live = releases.live("blog")
    assert journal.read("blog") == {} and (killed or live.number == 2)
    if apps.load("blog").stopped:
        assert live.number == 1 and blog.scheduler.names() == []
    else:
        assert live.number == 2 and len(blog.scheduler.adopted()) == len(blog.scheduler.names()) == 3


@pytest.mark.parametrize("point", [f"{number} {when}" for number in range(1, 5) for when in ("before", "after")])
def test_ps_restore_killed(blog, mortal, point):
    blog.scheduler.containers.pop("blog_v1.web.1")
    blog.scheduler.containers.pop("blog_v1.worker.1")
    mortal(lambda: restore.restore_processes("blog"), point)
    assert blog.router.table["blog"].backends
    next_command()
    assert journal.read("blog") == {} and blog.scheduler.names() == blog.scheduler.adopted()
    restore.restore_processes("blog")
    assert len(blog.routed("blog")) == 2 and len(blog.scheduler.adopted()) == 3


DESTROY = [f"{number} {when}" for number in range(1, 8) for when in ("before", "after")]


def whole(blog) -> dict[str, str]:
    opened = store.open_store()
    return {path: opened.read(path).text for path in opened.list("apps/blog")}


@pytest.mark.sample("a destroy killed", 6)
@pytest.mark.parametrize("point", DESTROY)
def test_a_destroy_killed_and_then_a_return(blog, mortal, point):
    before = whole(blog)
    mortal(lambda: trash.destroy("blog"), point)
    with locks.name_lock("blog"):
        pass
    assert store.open_store().list("apps") == [] and blog.scheduler.names() == [] and blog.router.routes() == []
    assert [entry["id"] for entry in trashed.entries()] == ["blog.1"] and os.listdir(paths.work()) == []
    assert not os.path.exists(paths.repository("blog"))
    lifecycle.restore_app("blog")
    assert blog.routed("blog") == ["blog_v2.web.1", "blog_v2.web.2"] and not apps.load("blog").stopped
    after = whole(blog)
    assert after.pop("apps/blog/live") == "2\n" and after.pop("apps/blog/releases/2.toml")
    assert after == {path: text for path, text in before.items() if not path.endswith("/live")}
    assert open(os.path.join(paths.repository("blog"), "kept")).read() == "history" and trashed.entries() == []


@pytest.mark.sample("a destroy for good killed", 6)
@pytest.mark.parametrize("point", DESTROY)
def test_a_destroy_for_good_killed(blog, mortal, point):
    mortal(lambda: trash.destroy("blog", now=True), point)
    with locks.name_lock("blog"):
        pass
    assert store.open_store().list("apps") == [] and blog.scheduler.names() == [] and blog.router.routes() == []
    assert trashed.entries() == [] and not os.path.exists(paths.repository("blog"))


@pytest.mark.parametrize("point", [f"{number} {when}" for number in range(1, 5) for when in ("before", "after")])
def test_a_return_killed(blog, mortal, point):
    trash.destroy("blog")
    mortal(lambda: trash.restore("blog"), point)
    next_command()
    assert trashed.entries() == [] and apps.load("blog").stopped and releases.live("blog").number == 1
    assert blog.router.table["blog"].state == "no-web"
    assert os.path.exists(os.path.join(paths.repository("blog"), "kept"))
    lifecycle.start("blog")
    assert blog.routed("blog") == ["blog_v2.web.1", "blog_v2.web.2"]


def test_a_return_killed_is_not_lost_to_a_new_app_of_the_name(blog, mortal):
    trash.destroy("blog")
    mortal(lambda: trash.restore("blog"), "2 before")
    with pytest.raises(errors.UsageError, match="already exists"):
        lifecycle.create("blog")
    assert releases.live("blog").number == 1


# -- the trash -----------------------------------------------------------------------------------------------------


def test_a_name_is_free_and_its_numbers_go_on(blog, world):
    trash.destroy("blog")
    world.ok("apps:create", "blog")
    blog.deploy("blog")
    assert releases.live("blog").number == 2
    trash.destroy("blog")
    assert trashed.entries_of("blog") == ["blog.1", "blog.2"]
    lifecycle.restore_app("blog.1")
    assert releases.live("blog").number == 3 and [release.number for release in releases.all_of("blog")] == [1, 3]
    with pytest.raises(errors.UsageError, match="app blog exists again"):
        lifecycle.restore_app("blog")


def test_a_stopped_app_and_one_without_a_release_come_back_as_they_were(blog, world):
    lifecycle.stop("blog")
    world.ok("apps:create", "shop")
    for name in ("blog", "shop"):
        trash.destroy(name)
        lifecycle.restore_app(name)
    assert apps.load("blog").stopped and blog.scheduler.names() == []
    assert not apps.load("shop").stopped and releases.live("shop") is None


def test_an_app_that_does_not_start_is_back_and_stopped(blog):
    trash.destroy("blog")
    blog.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed):
        lifecycle.restore_app("blog")
    assert apps.load("blog").stopped and trashed.entries() == []


def test_a_domain_that_another_app_took_keeps_it_in_the_trash(blog, world):
    world.ok("domains:set", "blog", "blog.test")
    trash.destroy("blog")
    world.ok("apps:create", "shop")
    world.ok("domains:set", "shop", "blog.test")
    assert "blog.test belongs to app shop" in world.refused("apps:restore", "blog")
    world.ok("domains:clear", "shop")
    world.ok("apps:restore", "blog")
    assert blog.routed("blog")


def test_what_has_expired_is_removed_for_good(blog, world, monkeypatch):
    told = []
    monkeypatch.setattr("minipaas_lib.bus.manager.notify", lambda hook, **about: told.append((hook, about)))
    trash.destroy("blog")
    assert trash.purge_expired() == []
    assert not [hook for hook, _ in told if hook == "app_destroyed"], "it may come back"
    world.ok("apps:create", "blog")
    blog.deploy("blog", image="sha256:9")
    told.clear()
    now = time.time()
    monkeypatch.setattr(
        time, "gmtime", lambda at=None, real=time.gmtime: real(now + trashed.KEPT + 1 if at is None else at)
    )
    assert trash.purge_expired() == ["blog.1"] and trashed.entries() == []
    assert [(hook, about["kept"]) for hook, about in told] == [("images_unused", {"sha256:9"})], (
        "the new app keeps its own"
    )
    assert os.listdir(os.path.join(paths.root(), "trash")) == []
    monkeypatch.undo()


# -- locks ---------------------------------------------------------------------------------------------------------

MUTATING = [
    ["apps:destroy", "blog", "--force"],
    ["apps:rename", "blog", "journal"],
    ["builder-dockerfile:set", "blog", "dockerfile-path", "D"],
    ["checks:set", "blog", "wait-to-retire", "5"],
    ["config:set", "blog", "A=1"],
    ["config:set", "--no-restart", "blog", "A=1"],
    ["config:unset", "blog", "Z"],
    ["config:clear", "blog"],
    ["domains:add", "blog", "x.test"],
    ["domains:set", "blog", "x.test"],
    ["domains:remove", "blog", "y.test"],
    ["domains:clear", "blog"],
    ["domains:reset", "blog"],
    ["git:set", "blog", "deploy-branch", "b"],
    ["nginx:set", "blog", "gzip", "off"],
    ["ports:set", "blog", "http:80:5000"],
    ["ports:add", "blog", "http:81:5000"],
    ["ports:clear", "blog"],
    ["proxy:disable", "blog"],
    ["proxy:enable", "blog"],
    ["ps:rebuild", "blog"],
    ["ps:restart", "blog"],
    ["ps:scale", "blog", "web=3"],
    ["ps:scale", "--skip-deploy", "blog", "web=3"],
    ["ps:set", "blog", "stop-timeout", "3"],
    ["ps:start", "blog"],
    ["ps:stop", "blog"],
]


@pytest.fixture
def table(blog, world):
    world.ok("config:set", "blog", "Z=1")
    world.ok("domains:add", "blog", "y.test")
    world.ok("proxy:disable", "blog")
    return world


@pytest.mark.parametrize("words", MUTATING, ids=lambda words: " ".join(words[:2]))
def test_every_command_that_changes_an_app_respects_its_locks(table, words):
    if words[0] == "proxy:disable":
        table.ok("proxy:enable", "blog")
    table.ok("apps:lock", "blog", "--message", "moving house")
    before = table.documents()
    refused = table(*words)
    assert refused.status == 75 and "moving house" in refused.err and table.documents() == before
    table.ok("apps:unlock", "blog")
    before = table.documents()
    with store.open_store().lock("apps/blog", locks.holder()._replace(command="git:pre-receive", key="anna")):
        refused = table(*words)
        assert refused.status == 75 and "anna" in refused.err and "git:pre-receive" in refused.err
        started = time.monotonic()
        assert table(words[0], "--wait=0.3", *words[1:]).status == 75 and time.monotonic() - started >= 0.3
    assert table.documents() == before


def test_a_waiting_command_gets_its_turn(blog, world):
    import threading

    lock = store.open_store().lock("apps/blog", locks.holder())
    threading.Timer(0.3, lock.release).start()
    world.ok("config:set", "--wait", "blog", "A=1")
    assert apps.load("blog").config == {"A": "1"}


def test_the_lock_of_a_dead_holder_is_taken_over(blog, world):
    child = os.fork()
    if not child:
        try:
            store.open_store().lock("apps/blog", locks.holder())
            os.kill(os.getpid(), 9)
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    assert world("apps:locked", "blog").status == 1
    world.ok("config:set", "blog", "A=1")


def test_a_step_costs_next_to_nothing(blog):
    """A deploy has a dozen: together less than 5 ms even on a busy machine."""
    best = 1.0
    for _ in range(5):
        begun = time.perf_counter()
        for number in range(12):
            with journal.step("blog", f"step {number}"):
                pass
        best = min(best, time.perf_counter() - begun)
    assert best < 0.005


def test_everything_that_is_in_the_trash_has_another_name(blog, world):
    for turn in itertools.count(1):
        trash.destroy("blog")
        if turn == 3:
            break
        world.ok("apps:create", "blog")
    trash.purge("blog.2")
    world.ok("apps:create", "blog")
    assert trash.destroy("blog") == "blog.4"


def test_a_repository_follows_the_live_commit(blog, monkeypatch):
    asked = []
    monkeypatch.setattr(repository, "follow", lambda *arguments: asked.append(arguments))
    change.change("blog", "restart", force=True)
    assert ("blog", "c" * 40, "") in asked
