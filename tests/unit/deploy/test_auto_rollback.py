"""A release that crashes soon after it went live, checks:disable and checks:skip, and the tasks of a deploy."""

import time

import pytest

from minipaas_lib import errors, store
from minipaas_lib.apps import lifecycle
from minipaas_lib.deploy import auto_rollback, change, drain, drain_worker
from minipaas_lib.journal import locks
from minipaas_lib.records import apps, releases
from minipaas_lib.store import documents, layout
from tests.chaos import Killed
from tests.unit.deploy.test_rollout import WEB_AND_WORKER, app_text, set_config


def kill_at(monkeypatch, target, method, when):
    """kill -9 before or after the first call of `target.method` from now on."""
    original = getattr(target, method)

    def dying(*arguments, **named):
        monkeypatch.setattr(target, method, original)
        if when == "after":
            original(*arguments, **named)
        raise Killed

    monkeypatch.setattr(target, method, dying)


@pytest.fixture
def blog(world, fake):
    """v1 with a web and a worker; v2, a config change, has just replaced it, and the worker of v1 has gone."""
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "worker=1")
    fake.deploy("blog", WEB_AND_WORKER)
    fake.before = app_text()
    change.change("blog", "config", set_config("1"))
    drain.finish("blog", "blog_v1.worker.1")
    return fake


def v1_is_back(blog, said="web.1 crashed") -> None:
    assert blog.routed("blog") == ["blog_v1.web.1"] and releases.live("blog").number == 1
    assert blog.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"] == blog.scheduler.adopted()
    assert drain.waiting("blog") == set() and auto_rollback.read("blog") == {} and app_text() == blog.before
    failed = releases.load("blog", 2)
    assert failed.status == "failed" and said in failed.failure and "after it went live" in failed.failure


@pytest.mark.parametrize("state", ["exited", "restarting", "came up again"])
def test_a_crash_brings_the_old_back(blog, state, monkeypatch, world):
    auto_rollback.check("blog")
    assert releases.live("blog").number == 2, "nothing has crashed"
    later = time.strftime("%Y-%m-%dT%H:%M:%S.5Z", time.gmtime(time.time() + 5))
    blog.scheduler.set(
        "blog_v2.web.1", **({"started": later} if state == "came up again" else {"state": state, "exit_code": 1})
    )
    told = []
    monkeypatch.setattr(
        "minipaas_lib.bus.manager.notify", lambda hook, **about: told.append((hook, about.get("reason")))
    )
    auto_rollback.check("blog")
    v1_is_back(blog)
    assert [reason for hook, reason in told if hook == "deploy_failed"] == [releases.load("blog", 2).failure]
    assert "v1 is live again" in world.ok("logs:failed", "blog") and "the last line" in world.ok("logs:failed", "blog")
    auto_rollback.check("blog")
    v1_is_back(blog)


def test_the_retiring_process_looks(blog, monkeypatch):
    blog.scheduler.set("blog_v2.web.1", state="exited", exit_code=1)
    monkeypatch.setattr(drain.time, "sleep", lambda seconds: None)
    drain_worker.run("blog")
    v1_is_back(blog)


def test_another_command_goes_first(blog):
    blog.scheduler.set("blog_v2.web.1", state="exited", exit_code=1)
    with locks.app_lock("blog"):
        auto_rollback.check("blog")
    assert releases.live("blog").number == 2


def test_no_way_back_without_the_old_web(blog):
    blog.scheduler.set("blog_v2.web.1", state="exited", exit_code=1)
    blog.scheduler.set("blog_v1.web.1", state="exited")
    auto_rollback.check("blog")
    assert releases.live("blog").number == 2


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_a_worker_that_crashes_brings_the_old_back(blog, state):
    blog.scheduler.set("blog_v2.worker.1", state=state, exit_code=1)
    auto_rollback.check("blog")
    v1_is_back(blog, "worker.1 crashed")


def test_a_worker_that_ends_and_a_scale_do_not_count(blog):
    blog.scheduler.set("blog_v2.worker.1", state="restarting", exit_code=0)
    auto_rollback.check("blog")
    assert releases.live("blog").number == 2
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
    blog.scheduler.set("blog_v2.worker.1", state="running", started=later)
    auto_rollback.check("blog")
    assert releases.live("blog").number == 2
    change.change("blog", "scale", lambda document: document["formation"].update(web=2))
    blog.scheduler.set("blog_v2.web.1", state="restarting")
    auto_rollback.check("blog")
    assert releases.live("blog").number == 3


def test_only_processes_of_the_release_before_can_take_over(blog):
    """v1 still drains when v3 replaces v2, whose processes have gone: there is no way back to v2."""
    change.change("blog", "config", set_config("2"))
    drain.finish("blog", "blog_v2.web.1")
    blog.scheduler.set("blog_v3.web.1", state="restarting")
    auto_rollback.check("blog")
    assert releases.live("blog").number == 3 and "blog_v1.web.1" in drain.waiting("blog")


def test_what_was_stopped_first_and_started_again_has_not_crashed(blog, world):
    world.ok("checks:disable", "blog")
    start = blog.scheduler.start

    def crashing(spec):
        start(spec)
        if spec.release == 3:
            blog.scheduler.set(spec.name, state="exited", exit_code=1)
        return blog.scheduler.containers[spec.name]

    blog.scheduler.start = crashing
    with pytest.raises(errors.DeployFailed):
        change.change("blog", "config", set_config("2"))
    blog.scheduler.set("blog_v2.web.1", started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5)))
    auto_rollback.check("blog")
    assert releases.live("blog").number == 2 and blog.routed("blog") == ["blog_v2.web.1"]


def test_the_first_release_has_nothing_to_go_back_to(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    assert auto_rollback.read("blog") == {}


def test_a_worker_that_does_not_come_back_does_not_hold_the_web(blog):
    blog.scheduler.set("blog_v2.web.1", state="exited", exit_code=1)
    blog.scheduler.crashing = {"worker"}
    auto_rollback.check("blog")
    assert blog.routed("blog") == ["blog_v1.web.1"] and releases.live("blog").number == 1
    assert auto_rollback.read("blog") == {}


POINTS = [
    "retire.keep",
    "scheduler.adopt",
    "router.apply",
    "releases.set_live",
    "releases.finish",
    "scheduler.stop",
    "scheduler.start",
    "trial.end",
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_point_of_the_return(blog, monkeypatch, point, when):
    blog.scheduler.set("blog_v2.web.1", state="exited", exit_code=1)
    where, _, method = point.partition(".")
    target = {
        "scheduler": blog.scheduler,
        "router": blog.router,
        "releases": releases,
        "retire": drain,
        "trial": auto_rollback,
    }[where]
    kill_at(monkeypatch, target, method, when)
    with pytest.raises(Killed):
        auto_rollback.check("blog")
    with locks.app_lock("blog"):  # any next command
        pass
    v1_is_back(blog)


# -- checks:disable and checks:skip --------------------------------------------------------------------------------


@pytest.fixture
def alone(world, fake):
    """An app of which two releases never run at the same time."""
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "worker=1")
    world.ok("checks:disable", "blog")
    fake.deploy("blog", WEB_AND_WORKER)
    fake.scheduler.calls.clear()
    return fake


def test_disabled_stops_first_and_says_so_before(alone, capsys):
    change.change("blog", "config", set_config("1"))
    order = [call for call in alone.scheduler.calls if call[0] in ("start", "stop")]
    assert order == [
        ("stop", "blog_v1.web.1"),
        ("start", "blog_v2.web.1"),
        ("stop", "blog_v1.worker.1"),
        ("start", "blog_v2.worker.1"),
    ]
    assert "web of blog is down until" in capsys.readouterr().err
    assert alone.routed("blog") == ["blog_v2.web.1"] and drain.waiting("blog") == set()


@pytest.mark.parametrize("kind", ["web", "worker"])
def test_disabled_and_in_vain_starts_the_old_again(alone, kind, capsys):
    start = alone.scheduler.start

    def crashing(spec):
        process = start(spec)
        if spec.release == 2 and spec.process_type == kind:
            alone.scheduler.set(spec.name, state="exited", exit_code=1)
            return alone.scheduler.containers[spec.name]
        return process

    alone.scheduler.start = crashing
    before = app_text()
    with pytest.raises(errors.DeployFailed):
        change.change("blog", "config", set_config("1"))
    assert alone.routed("blog") == ["blog_v1.web.1"]
    assert alone.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"] == alone.scheduler.adopted()
    assert app_text() == before and "v1 is live again" in capsys.readouterr().err


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", ["scheduler.stop", "scheduler.start", "scheduler.adopt", "router.apply"])
def test_disabled_and_killed(alone, monkeypatch, point, when):
    where, _, method = point.partition(".")
    monkeypatch.setattr("minipaas_lib.deploy.rollout.undo", lambda *arguments: None)
    kill_at(monkeypatch, getattr(alone, where), method, when)
    with pytest.raises(Killed):
        change.change("blog", "config", set_config("1"))
    with locks.app_lock("blog"):
        pass
    assert alone.routed("blog") == ["blog_v1.web.1"]
    assert alone.scheduler.names() == ["blog_v1.web.1", "blog_v1.worker.1"] == alone.scheduler.adopted()


def test_a_stopped_app_has_nothing_to_stop_first(alone):
    lifecycle.stop("blog")
    lifecycle.start("blog")
    assert alone.routed("blog") == ["blog_v2.web.1"]


def test_skipped_is_not_waited_for(world, fake):
    world.ok("apps:create", "blog")
    world.ok("checks:skip", "blog")
    fake.scheduler.deaf = {"web"}
    fake.deploy("blog")
    assert fake.routed("blog") == ["blog_v1.web.1"]


# -- tasks ---------------------------------------------------------------------------------------------------------

TASKS = {"release": "R", "predeploy": "P", "postdeploy": "A", "first_postdeploy": "F"}


def ran(fake) -> list[str]:
    return [
        what if method == "task" else method for method, what in fake.scheduler.calls if method in ("task", "start")
    ]


def test_tasks_in_their_order(world, fake, capsys):
    world.ok("apps:create", "blog")
    fake.deploy("blog", tasks=TASKS)
    assert ran(fake) == ["P", "R", "start", "F", "A"]
    assert "       running P\n" in capsys.readouterr().err
    fake.scheduler.calls.clear()
    fake.deploy("blog", image="sha256:2", tasks=TASKS)
    assert ran(fake) == ["P", "R", "start", "A"]


def test_a_postdeploy_that_fails_is_reported_and_the_release_stays(world, fake, capsys):
    world.ok("apps:create", "blog")
    fake.scheduler.task_codes = {"A": 127}
    assert fake.deploy("blog", tasks=TASKS).status == "released"
    assert "the postdeploy script ended with exit code 127: the command was not found" in capsys.readouterr().err


def test_a_predeploy_that_fails_ends_it(world, fake, capsys):
    world.ok("apps:create", "blog")
    fake.scheduler.task_codes = {"P": 1}
    with pytest.raises(errors.DeployFailed, match="the predeploy script ended with exit code 1"):
        fake.deploy("blog", tasks=TASKS)
    assert (
        ran(fake) == ["P"] and "v1 failed in the predeploy script; nothing was live before" in capsys.readouterr().err
    )
    assert apps.load("blog") and documents.read(store.open_store(), layout.release("blog", 1))["status"] == "failed"
