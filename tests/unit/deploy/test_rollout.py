"""The rollout with engines in memory: what starts, what is kept, what is undone, and recovery from every point."""

import dataclasses
import threading
import time

import pytest

from minipaas_lib import errors, store
from minipaas_lib.apps import lifecycle
from minipaas_lib.deploy import change, drain, restore
from minipaas_lib.journal import journal
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, layout

WEB_AND_WORKER = {"web": "serve", "worker": "work"}


@pytest.fixture
def blog(world, fake):
    """An app with one web and one worker, live as v1."""
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "worker=1")
    fake.deploy("blog", WEB_AND_WORKER)
    return fake


def app_text() -> str:
    return store.open_store().read("apps/blog/app.toml").text


def set_config(value: str):
    def edit(document):
        document.setdefault("config", {})["A"] = value

    return edit


def scale(**counts):
    def edit(document):
        document.setdefault("formation", {}).update(counts)

    return edit


def test_first_deploy(blog):
    live = releases.live("blog")
    assert (live.number, live.status, live.formation) == (1, "released", {"web": 1, "worker": 1})
    assert blog.scheduler.adopted() == ["blog_v1.web.1", "blog_v1.worker.1"]
    assert blog.routed("blog") == ["blog_v1.web.1"]
    assert "release" not in journal.read("blog") and blog.spawned == []


def test_web_starts_before_others(blog):
    started = [name for method, name in blog.scheduler.calls if method == "start"]
    assert started == ["blog_v1.web.1", "blog_v1.worker.1"]


def test_the_router_is_asked_for_the_route_to_come_before_anything_starts(blog):
    blog.router.asked.clear()
    begun = len(blog.scheduler.calls)
    blog.router.breaks["check"] = errors.Unavailable("nginx is not running, so nothing was changed")
    numbers = [release.number for release in releases.all_of("blog")]
    with pytest.raises(errors.Unavailable, match="nothing was changed"):
        change.change("blog", "scale", scale(web=3))
    assert [release.number for release in releases.all_of("blog")] == numbers, "no release is spent on it"
    assert "start" not in [method for method, _ in blog.scheduler.calls[begun:]] and "release" not in journal.read(
        "blog"
    )
    change.change("blog", "scale", scale(web=3))
    (coming,) = blog.router.asked
    assert coming.generation == "v2" and [one.address for one in coming.backends] == [
        "198.18.0.1",
        "198.18.0.2",
        "198.18.0.3",
    ]


@pytest.mark.parametrize("what", ["task", "hook"])
def test_a_router_that_refuses_is_heard_before_any_task_of_the_release(world, fake, what):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    fake.router.breaks["check"] = errors.BadConfig("nginx refuses the route of blog")
    with pytest.raises(errors.BadConfig):
        fake.deploy("blog", tasks={"release": "migrate"})
    assert not [call for call in fake.scheduler.calls if call[0] == "task"]
    assert fake.scheduler.names() == ["blog_v1.web.1"] and releases.load("blog", 2).status == "failed"


def test_first_deploy_that_fails_leaves_nothing(world, fake):
    world.ok("apps:create", "blog")
    before = app_text()
    fake.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed, match="stopped at once with exit code 1"):
        fake.deploy("blog")
    assert fake.scheduler.names() == [] and fake.router.table == {}
    assert releases.live("blog") is None and app_text() == before
    failed = releases.load("blog", 1)
    assert failed.status == "failed" and "exit code 1" in failed.failure


@pytest.mark.parametrize(("said", "wanted"), [(None, 4), (2, 2), (6, 6)])
def test_as_many_start_at_the_same_time_as_the_scheduler_says(blog, monkeypatch, said, wanted):
    real, most, now, lock = blog.scheduler.start, [0], [0], threading.Lock()
    full = threading.Event()

    def start(spec):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
            if now[0] == wanted:
                full.set()
        full.wait(10)
        time.sleep(0.05)  # one too many would come now
        with lock:
            now[0] -= 1
        return real(spec)

    monkeypatch.setattr(blog.scheduler, "start", start)
    if said:
        monkeypatch.setattr(blog.scheduler, "at_once", said, raising=False)
    change.change("blog", "scale", scale(web=9))
    assert most == [wanted] and len(blog.routed("blog")) == 9


def test_scale_up_and_down_keeps_processes(blog):
    release = change.change("blog", "scale: web=3", scale(web=3))
    assert release.number == 2 and release.processes == 1
    assert blog.routed("blog") == ["blog_v1.web.1", "blog_v1.web.2", "blog_v1.web.3"]
    change.change("blog", "scale: web=1", scale(web=1))
    assert blog.routed("blog") == ["blog_v1.web.1"]
    assert drain.waiting("blog") == {"blog_v1.web.2", "blog_v1.web.3"}
    assert blog.scheduler.adopted() == ["blog_v1.web.1", "blog_v1.worker.1"]
    assert "blog_v1.web.2" in blog.scheduler.names(), "it finishes its requests first"
    change.change("blog", "scale: web=2", scale(web=2))
    assert blog.routed("blog") == ["blog_v1.web.1", "blog_v1.web.4"], "names of those on their way out are taken"


def test_scale_to_nothing(blog):
    change.change("blog", "scale: web=0", scale(web=0))
    assert blog.router.table["blog"].state == "no-web" and releases.live("blog").number == 2


def test_config_change_replaces_all(blog):
    change.change("blog", "config", set_config("1"))
    assert blog.routed("blog") == ["blog_v2.web.1"]
    assert blog.scheduler.adopted() == ["blog_v2.web.1", "blog_v2.worker.1"]
    assert drain.waiting("blog") == {"blog_v1.web.1", "blog_v1.worker.1"} and blog.spawned == ["blog"]
    assert blog.scheduler.specs["blog_v2.web.1"].environment["A"] == "1"


def test_no_difference_is_no_release(blog):
    assert change.change("blog", "config", set_config("1")).number == 2
    assert change.change("blog", "config", set_config("1")) is None
    assert change.change("blog", "restart", force=True).number == 3


def test_without_restart_only_the_document_changes(blog):
    assert change.change("blog", "config", set_config("1"), restart=False) is None
    assert apps.load("blog").config == {"A": "1"} and releases.live("blog").number == 1


def test_a_longer_drain_replaces_nothing_and_counts_from_the_next_deploy(blog, world):
    world.ok("checks:set", "blog", "wait-to-retire", "77")
    change.change("blog", "scale: web=2", scale(web=2))
    assert blog.routed("blog") == ["blog_v1.web.1", "blog_v1.web.2"]
    change.change("blog", "restart", force=True)
    deadlines = documents.read(store.open_store(), layout.retiring("blog"))
    assert deadlines["blog_v1.web.1"] - time.time() == pytest.approx(77, abs=3)
    assert deadlines["blog_v1.worker.1"] - time.time() == pytest.approx(0, abs=3)


def test_a_process_that_died_is_replaced(blog):
    blog.scheduler.set("blog_v1.web.1", state="exited")
    change.change("blog", "scale: worker=2", scale(worker=2))
    assert blog.routed("blog") == ["blog_v1.web.2"] and "blog_v1.web.1" in drain.waiting("blog")


@pytest.mark.parametrize(
    ("kind", "how"),
    [("web", "crashing"), ("web", "deaf"), ("web", "refused"), ("worker", "crashing"), ("worker", "refused")],
)
def test_a_failing_process_keeps_all_of_the_old(blog, kind, how):
    before, names = app_text(), blog.scheduler.names()
    if how == "refused":
        blog.scheduler.start = refuse(blog.scheduler.start, kind)
    else:
        getattr(blog.scheduler, how).add(kind)
    with pytest.raises(errors.DeployFailed):
        change.change("blog", "config", set_config("1"))
    assert blog.scheduler.names() == names and blog.scheduler.adopted() == names
    assert blog.routed("blog") == ["blog_v1.web.1"] and releases.live("blog").number == 1
    assert app_text() == before and drain.waiting("blog") == set() and "release" not in journal.read("blog")
    assert releases.load("blog", 2).status == "failed"


def refuse(start, kind):
    def refusing(spec):
        if spec.process_type == kind:
            raise errors.DeployFailed("no such command")
        return start(spec)

    return refusing


def test_one_failing_of_many_ends_it_for_all(blog, monkeypatch):
    """Those not started yet are not started, those that are not ready are not waited for."""
    monkeypatch.setattr("minipaas_lib.deploy.readiness.START_LIMIT", 60.0)
    blog.scheduler.deaf = {"web"}
    start = blog.scheduler.start

    def first_crashes(spec):
        process = start(spec)
        if spec.index == 1:
            blog.scheduler.set(spec.name, state="exited", exit_code=3)
        return process

    blog.scheduler.start = first_crashes
    begun = time.monotonic()
    with pytest.raises(errors.DeployFailed, match="exit code 3"):
        change.change("blog", "scale", lambda document: (scale(web=20)(document), set_config("1")(document)))
    assert time.monotonic() - begun < 5
    assert sum(method == "start" for method, _ in blog.scheduler.calls) < 2 + 20
    assert blog.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"]


def test_a_failed_switch_leaves_the_old_routed(blog):
    before = app_text()
    blog.router.breaks["apply"] = errors.BadConfig("nginx refuses")
    with pytest.raises(errors.BadConfig):
        change.change("blog", "config", set_config("1"))
    assert blog.routed("blog") == ["blog_v1.web.1"] and blog.router.applied("blog") == "v1"
    assert blog.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"] and app_text() == before


def test_a_failed_switch_of_a_scale_keeps_exactly_the_old_processes(blog):
    change.change("blog", "scale", scale(web=3))
    change.change("blog", "scale", scale(web=2))
    blog.scheduler.stop(blog.scheduler.containers["blog_v1.web.3"])
    store.open_store().delete(layout.retiring("blog"))
    first = blog.scheduler.containers.pop("blog_v1.web.1")
    blog.scheduler.containers["blog_v1.web.5"] = dataclasses.replace(first, name="blog_v1.web.5", index=5)
    blog.router.breaks["apply"] = errors.Unavailable("nginx is gone")
    with pytest.raises(errors.Unavailable):
        change.change("blog", "scale", scale(web=4))
    assert blog.routed("blog") == ["blog_v1.web.2", "blog_v1.web.5"]
    assert blog.scheduler.adopted() == ["blog_v1.web.2", "blog_v1.web.5", "blog_v1.worker.1"]


def test_a_router_that_stays_away_is_put_right_by_the_next_command(blog):
    def gone(route):
        raise errors.Unavailable("nginx is gone")

    before, apply = app_text(), blog.router.apply
    blog.router.apply = gone
    with pytest.raises(errors.Unavailable):
        change.change("blog", "config", set_config("1"))
    assert journal.read("blog") == {} and blog.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"]
    assert releases.load("blog", 2).failure == "nginx is gone" and lifecycle.interrupted("blog") == ""
    with pytest.raises(errors.Unavailable):
        change.change("blog", "restart", force=True)
    blog.router.apply = apply
    assert change.change("blog", "restart", force=True).number == 4
    assert blog.routed("blog") == ["blog_v4.web.1"] and releases.load("blog", 2).status == "failed"
    assert app_text() == before
    assert set(blog.scheduler.adopted()) == {"blog_v4.web.1", "blog_v4.worker.1"}


def test_processes_that_requests_may_still_go_to_are_not_stopped(blog, monkeypatch):
    """The router took the new route, and then neither the store nor the router answers."""

    def no_disk(release):
        blog.router.apply = blog.router.remove = gone
        raise errors.Unavailable("no space left on device")

    def gone(route):
        raise errors.Unavailable("nginx is gone")

    apply, remove = blog.router.apply, blog.router.remove
    with monkeypatch.context() as patch:
        patch.setattr(releases, "set_live", no_disk)
        with pytest.raises(errors.Unavailable, match="no space"):
            change.change("blog", "config", set_config("1"))
    assert blog.routed("blog") == ["blog_v2.web.1"] and "blog_v1.web.1" in blog.scheduler.names()
    assert "a command failed and is not completely undone yet" in lifecycle.interrupted("blog")
    assert "no space left on device" in lifecycle.interrupted("blog")
    blog.router.apply, blog.router.remove = apply, remove
    restore.restore_processes("blog")
    assert blog.routed("blog") == ["blog_v1.web.1"] and blog.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), RuntimeError("a plugin's fault"), errors.Cancelled("hung up")]
)
@pytest.mark.parametrize("where", ["start", "adopt", "apply", "check_process"])
def test_whatever_raises_after_the_start_is_cleaned_up(blog, monkeypatch, error, where):
    from minipaas_lib.bus import manager

    names, real = blog.scheduler.names(), manager.call
    if where == "check_process":

        def call(hook, **given):
            if hook == "check_process":
                raise error
            return real(hook, **given)

        monkeypatch.setattr(manager, "call", call)
    else:
        (blog.router if where == "apply" else blog.scheduler).breaks[where] = error
    with pytest.raises(type(error)):
        change.change("blog", "config", set_config("1"))
    assert blog.scheduler.names() == names and blog.routed("blog") == ["blog_v1.web.1"]
    assert journal.read("blog") == {} and releases.load("blog", 2).status == "failed"


def test_stop_without_a_router_changes_nothing(blog):
    blog.router.breaks["check"] = errors.Unavailable("nginx is not running, so nothing was changed")
    with pytest.raises(errors.Unavailable, match="nothing was changed"):
        lifecycle.stop("blog")
    assert not apps.load("blog").stopped and journal.read("blog") == {}
    assert blog.routed("blog") == ["blog_v1.web.1"]


def test_a_destroy_that_cannot_take_the_route_away_destroys_nothing_later_either(blog):
    from minipaas_lib.apps import trash

    blog.router.breaks["remove"] = errors.Unavailable("nginx refuses this host's configuration")
    with pytest.raises(errors.Unavailable):
        trash.destroy("blog")
    assert journal.read("blog") == {} and blog.routed("blog") == ["blog_v1.web.1"]
    assert change.change("blog", "restart", force=True).number == 2


def test_what_comes_up_of_what_was_missing_serves_and_the_rest_goes(blog):
    change.change("blog", "scale", scale(web=2))
    blog.scheduler.containers.clear()
    blog.scheduler.crashing = {"worker"}
    with pytest.raises(errors.DeployFailed):
        restore.restore_processes("blog")
    assert (
        blog.routed("blog") == ["blog_v1.web.1", "blog_v1.web.2"] == blog.scheduler.names() == blog.scheduler.adopted()
    )
    assert journal.read("blog") == {}


def test_restore_without_a_router_starts_what_is_missing_and_leaves_no_journal(blog):
    blog.scheduler.containers.clear()
    blog.router.breaks["apply"] = errors.Unavailable("nginx is not running, so the route of blog stays as it was")
    with pytest.raises(errors.Unavailable):
        restore.restore_processes("blog")
    assert blog.scheduler.adopted() == ["blog_v1.web.1", "blog_v1.worker.1"] and lifecycle.interrupted("blog") == ""
    restore.restore_processes("blog")
    assert blog.routed("blog") == ["blog_v1.web.1"]


def test_what_others_changed_meanwhile_stays(blog):
    """apps:lock writes without the lock, during a deploy too."""
    start = blog.scheduler.start

    def lock_meanwhile(spec):
        apps.edit("blog", lambda document: document.update(locked="a freeze"))
        return start(spec)

    blog.scheduler.start = lock_meanwhile
    change.change("blog", "config", set_config("1"))
    assert apps.load("blog").frozen == "a freeze" and apps.load("blog").config == {"A": "1"}
    apps.edit("blog", lambda document: document.pop("locked"))
    blog.router.breaks["apply"] = errors.BadConfig("nginx refuses")
    with pytest.raises(errors.BadConfig):
        change.change("blog", "config", set_config("2"))
    assert apps.load("blog").frozen == "a freeze" and apps.load("blog").config == {"A": "1"}


def test_comments_survive(blog):
    text = "# ours\n" + app_text() + '\n[config] # by hand\nA = "0" # zero\n'
    store.open_store().write("apps/blog/app.toml", text)
    change.change("blog", "config", set_config("1"))
    assert app_text() == text.replace('A = "0"', 'A = "1"')


def test_release_task(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog", tasks={"release": "migrate"})
    assert ("task", "migrate") in fake.scheduler.calls
    fake.scheduler.task_codes = {"migrate": 5}
    with pytest.raises(errors.DeployFailed, match="exit code 5"):
        fake.deploy("blog", image="sha256:2", tasks={"release": "migrate"})
    assert fake.routed("blog") == ["blog_v1.web.1"] and fake.scheduler.names() == ["blog_v1.web.1"]
    fake.scheduler.calls.clear()
    change.change("blog", "scale", scale(web=2))
    assert ("task", "migrate") not in fake.scheduler.calls, "a scale migrates nothing"


def test_a_type_that_is_gone_retires(blog):
    blog.deploy("blog", {"web": "serve"}, image="sha256:2")
    assert blog.scheduler.adopted() == ["blog_v2.web.1"]
    assert drain.waiting("blog") == {"blog_v1.web.1", "blog_v1.worker.1"}


def test_stop_start_and_restore(blog):
    lifecycle.stop("blog")
    assert blog.scheduler.names() == [] and blog.router.table["blog"].state == "no-web"
    restore.restore_processes("blog")
    assert blog.scheduler.names() == [], "a stopped app stays stopped"
    assert change.change("blog", "config", set_config("1")) is None
    lifecycle.start("blog")
    assert blog.routed("blog") == ["blog_v2.web.1"] and not apps.load("blog").stopped


def test_a_start_that_fails_leaves_it_stopped(blog):
    lifecycle.stop("blog")
    blog.scheduler.crashing = {"worker"}
    with pytest.raises(errors.DeployFailed):
        lifecycle.start("blog")
    assert apps.load("blog").stopped and blog.scheduler.names() == []
    assert blog.router.table["blog"].state == "no-web"


def test_a_push_starts_a_stopped_app(blog):
    lifecycle.stop("blog")
    blog.deploy("blog", WEB_AND_WORKER, image="sha256:2")
    assert not apps.load("blog").stopped and blog.routed("blog") == ["blog_v2.web.1"]


def test_restore_brings_back_what_is_gone_or_dead(blog):
    change.change("blog", "scale", scale(web=2))
    blog.scheduler.containers.pop("blog_v1.web.1")
    blog.scheduler.set("blog_v1.worker.1", state="exited")
    restore.restore_processes("blog")
    assert blog.scheduler.adopted() == ["blog_v1.web.1", "blog_v1.web.2", "blog_v1.worker.1"]
    assert blog.routed("blog") == ["blog_v1.web.1", "blog_v1.web.2"] and releases.live("blog").number == 2


def test_restore_routes_to_what_runs_even_if_not_all_starts(blog):
    blog.scheduler.containers.pop("blog_v1.worker.1")
    blog.scheduler.crashing = {"worker"}
    blog.router.table.clear()
    with pytest.raises(errors.DeployFailed):
        restore.restore_processes("blog")
    assert blog.routed("blog") == ["blog_v1.web.1"] and blog.scheduler.names() == ["blog_v1.web.1"]


def fail_to_sync(monkeypatch, path: str, times: int = 1) -> list:
    """A disk that gives EIO after the document at `path` has its new name."""
    kept, left = store.open_store(), [None] * times
    write = kept.write

    def failing(where, text, if_revision=None):
        revision = write(where, text, if_revision)
        if where == path and left:
            left.pop()
            raise errors.Unavailable(f"cannot write {path}: input/output error")
        return revision

    monkeypatch.setattr(kept, "write", failing)
    return left


def test_a_disk_that_fails_once_the_release_is_named_live(blog, monkeypatch, capsys):
    failed = fail_to_sync(monkeypatch, "apps/blog/live")
    release = change.change("blog", "config", set_config("2"))
    assert failed == [] and release.status == "released" and releases.live("blog").number == 2
    assert blog.routed("blog") == ["blog_v2.web.1"] and "release" not in journal.read("blog")
    assert "a power cut now might undo that" in capsys.readouterr().err


def test_a_disk_that_fails_before_the_release_is_named_live(blog, monkeypatch):
    before, write = app_text(), store.open_store().write

    def failing(where, text, if_revision=None):
        if where == "apps/blog/live":
            raise errors.Unavailable("cannot write apps/blog/live: input/output error")
        return write(where, text, if_revision)

    monkeypatch.setattr(store.open_store(), "write", failing)
    with pytest.raises(errors.Unavailable):
        change.change("blog", "config", set_config("2"))
    assert blog.routed("blog") == ["blog_v1.web.1"] and releases.live("blog").number == 1 and app_text() == before
    assert releases.load("blog", 2).status == "failed" and "release" not in journal.read("blog")
