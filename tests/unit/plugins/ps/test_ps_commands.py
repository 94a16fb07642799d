"""ps:* on the command line, with engines in memory."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.model.process import Diagnosis
from minipaas_lib.records import apps, releases
from plugins.ps import settings

BOTH = {"web": "serve", "worker": "work"}


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    fake.deploy("blog", BOTH)
    return fake


def test_scale_shows_the_formation(world, blog):
    assert world.ok("ps:scale", "blog") == "web=1\nworker=0\n"
    assert json.loads(world.ok("ps:scale", "blog", "--format", "json")) == {"web": 1, "worker": 0}
    world.ok("apps:create", "fresh")
    assert world.ok("ps:scale", "fresh") == "web=1\n"


def test_scale(world, blog):
    world.ok("ps:scale", "blog", "web=2", "worker=1")
    live = releases.live("blog")
    assert (
        live.formation == {"web": 2, "worker": 1}
        and live.reason == "scale: web=1 -> 2, worker=0 -> 1"
        and live.number == 2
    )
    assert blog.scheduler.adopted() == ["blog_v1.web.1", "blog_v1.web.2", "blog_v1.worker.1"]
    result = world("ps:scale", "blog", "web=2")
    assert result.status == 0 and "blog has web=2" in result.err and releases.live("blog").number == 2


def test_scale_later(world, blog):
    result = world("ps:scale", "--skip-deploy", "blog", "web=3")
    assert result.status == 0 and "from the next deploy on" in result.err
    assert len(blog.scheduler.names()) == 1 and world.ok("ps:scale", "blog") == "web=3\nworker=0\n"


def test_scale_before_the_first_deploy(world, fake):
    world.ok("apps:create", "blog")
    world.ok("ps:scale", "blog", "web=2", "clock=1")
    assert world.ok("ps:scale", "blog") == "web=2\nclock=1\n"
    fake.deploy("blog", BOTH | {"clock": "tick"})
    assert fake.scheduler.adopted() == ["blog_v1.clock.1", "blog_v1.web.1", "blog_v1.web.2"]


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["web"], '"web" is not type=count'),
        (["web=x"], '"x" is not a number of web processes: use 0 to 100'),
        (["web=-1"], "use 0 to 100"),
        (["web=101"], "use 0 to 100"),
        (["web=٣"], "use 0 to 100"),
        (["web=1\n"], "use 0 to 100"),
        (["web="], "use 0 to 100"),
        (["=1"], "the process type is empty"),
        (["We b=1"], "cannot be a process type"),
        (["web=1", "web=2"], "web is given twice"),
        (["clock=1"], "blog v1 has no process type clock: it has web, worker"),
    ],
)
def test_scale_refused(world, blog, pairs, said):
    assert said in world.refused("ps:scale", "blog", *pairs)


@given(st.lists(st.text(max_size=12) | st.from_regex(r"[a-z]{1,3}=[0-9]{1,3}", fullmatch=True), max_size=4))
def test_scale_takes_only_what_it_says(pairs):
    try:
        wanted = settings.scale(tuple(pairs))
    except errors.UsageError as error:
        assert "\n" not in error.message and error.hint
    else:
        assert all(0 <= count <= 100 for count in wanted.values()) and len(wanted) == len(pairs)


def test_scale_that_fails_is_an_error_and_changes_nothing(world, blog):
    blog.scheduler.crashing = {"worker"}
    before = world.documents()["apps/blog/app.toml"]
    result = world("ps:scale", "blog", "worker=1")
    assert result.status == 1 and "worker stopped at once" in result.err
    assert world.documents()["apps/blog/app.toml"] == before and blog.routed("blog") == ["blog_v1.web.1"]


def test_restart(world, blog):
    world.ok("ps:restart", "blog")
    assert blog.routed("blog") == ["blog_v2.web.1"] and releases.live("blog").reason == "restart"


def test_restart_all_goes_on_after_a_failure(world, blog, fake):
    for name in ("alone", "crasher", "stopped", "zoo"):
        world.ok("apps:create", name)
    for name in ("crasher", "stopped", "zoo"):
        fake.deploy(name)
    world.ok("ps:stop", "stopped")
    start = fake.scheduler.start

    def refusing(spec):
        if spec.app == "crasher":
            raise errors.DeployFailed("no such command")
        return start(spec)

    fake.scheduler.start = refusing
    result = world("ps:restart", "--all")
    assert result.status == 1
    assert "crasher: no such command" in result.err and "1 of 5 apps failed" in result.err
    assert "alone has never been deployed, nothing to do" in result.err and "stopped is stopped, nothing" in result.err
    assert fake.routed("zoo") == ["zoo_v2.web.1"] and fake.routed("blog") == ["blog_v2.web.1"]
    assert fake.routed("crasher") == ["crasher_v1.web.1"]


@pytest.mark.parametrize("verb", ["restart", "stop", "start", "rebuild"])
def test_one_app_or_all(world, blog, verb):
    assert f"ps:{verb} <app>" in world.refused(f"ps:{verb}")
    world.refused(f"ps:{verb}", "--all", "blog")
    assert "there is no app" in world.refused(f"ps:{verb}", "blogg")
    world.ok("apps:create", "fresh")
    assert "fresh has never been deployed" in world.refused(f"ps:{verb}", "fresh")


def test_stop_and_start(world, blog):
    world.ok("ps:stop", "blog")
    assert blog.scheduler.names() == [] and apps.load("blog").stopped
    assert "ps:start blog" in world.refused("ps:restart", "blog")
    result = world("ps:scale", "blog", "web=2")
    assert result.status == 0 and "from the next deploy on" in result.err and blog.scheduler.names() == []
    world.ok("ps:start", "blog")
    assert blog.routed("blog") == ["blog_v2.web.1", "blog_v2.web.2"]
    assert "is already started: 2 of 2 processes are running" in world("ps:start", "blog").err


def test_start_starts_what_does_not_run(world, blog):
    blog.scheduler.containers.clear()
    assert "blog v1 is running again" in world("ps:start", "blog").err and blog.routed("blog") == ["blog_v1.web.1"]
    blog.scheduler.set("blog_v1.web.1", state="paused")
    assert world("ps:start", "blog").status == 0 and blog.scheduler.containers["blog_v1.web.1"].state == "running"
    world.ok("ps:scale", "blog", "web=0")
    result = world("ps:start", "blog")
    assert result.status == 0 and "no process to run" in result.err and "ps:scale blog web=1" in result.err


def test_scale_to_what_is_said_already_starts_what_does_not_run(world, blog):
    blog.scheduler.containers.clear()
    world.ok("ps:scale", "blog", "web=1")
    assert blog.routed("blog") == ["blog_v1.web.1"]


@pytest.mark.parametrize("verb", ["start", "restore"])
def test_a_loop_is_not_called_started(world, blog, verb):
    blog.scheduler.set("blog_v1.web.1", state="restarting", restarts=2, exit_code=3)
    result = world(f"ps:{verb}", "blog")
    assert result.status == 1 and "blog keeps restarting: web.1 was restarted 2 times" in result.err
    assert "logs blog, then: ps:restart blog" in result.err and blog.scheduler.names() == ["blog_v1.web.1"]


def test_a_failed_restart_tells_what_runs(world, blog):
    start = blog.scheduler.start

    def refusing(spec):
        raise errors.DeployFailed("no such image", f"ps:rebuild {spec.app}")

    blog.scheduler.start = refusing
    assert "v1 is still live\n" in world("ps:restart", "blog").err
    blog.scheduler.containers.clear()
    assert "v1 is still the live release, but none of its processes is running" in world("ps:restart", "blog").err
    blog.scheduler.start = start
    world.ok("ps:stop", "blog")
    blog.scheduler.start = refusing
    result = world("ps:start", "blog")
    assert result.status == 1 and "blog is still stopped" in result.err


def test_restore(world, blog):
    blog.scheduler.containers.clear()
    world.ok("ps:restore")
    assert blog.scheduler.adopted() == ["blog_v1.web.1"]


def test_restore_goes_on_after_a_failure(world, blog):
    world.ok("apps:create", "broken")
    with open(f"{world.root}/state/apps/broken/app.toml", "w") as file:
        file.write("= oops\n")
    blog.scheduler.containers.clear()
    result = world("ps:restore")
    assert result.status == 1 and "broken: apps/broken/app.toml cannot be read, line 1" in result.err
    assert blog.scheduler.adopted() == ["blog_v1.web.1"]


def test_report(world, blog, monkeypatch):
    world.ok("ps:scale", "blog", "worker=1")
    report = json.loads(world.ok("ps:report", "blog", "--format", "json"))
    assert report == {
        "deployed": True,
        "live": "v2",
        "processes": 2,
        "running": "true",
        "ps-restart-policy": "always",
        "ps-stop-timeout": 30,
        "status-web-1": "running (blog_v1.web.1)",
        "status-worker-1": "running (blog_v1.worker.1)",
        "restarts-web-1": 0,
        "restarts-worker-1": 0,
    }
    blog.scheduler.set("blog_v1.worker.1", state="exited", exit_code=3)
    assert world.ok("ps:report", "blog", "--running") == "mixed\n"
    assert world.ok("ps:report", "blog", "--status-worker-1") == "exited with exit code 3 (blog_v1.worker.1)\n"
    blog.scheduler.set("blog_v1.web.1", node="2" * 32)
    assert world.ok("ps:report", "blog", "--status-web-1") == f"running (blog_v1.web.1 on {'2' * 32})\n"
    monkeypatch.setattr(blog.scheduler, "node_name", {"2" * 32: "node2"}.get, raising=False)
    assert world.ok("ps:report", "blog", "--status-web-1") == "running (blog_v1.web.1 on node2)\n"
    blog.scheduler.set(
        "blog_v1.web.1",
        node="",
        restarts=4,
        created="2026-01-01T00:00:00.1Z",
        ended="2026-01-02T00:00:00.1Z",
        started="2026-01-02T00:00:01Z",
    )
    monkeypatch.setattr(blog.scheduler, "diagnose", lambda process, lines: Diagnosis("running", 137, True, (), ()))
    report = json.loads(world.ok("ps:report", "blog", "--format", "json"))
    assert report["status-web-1"] == (
        "running, restarted 4 times since 2026-01-01T00:00:00Z, the last time after exit code 137: out of memory at "
        "2026-01-02T00:00:00Z "
        "(blog_v1.web.1)"
    )
    assert (report["restarts-web-1"], report["last-exit-code-web-1"], report["last-exit-out-of-memory-web-1"]) == (
        4,
        137,
        True,
    )
    assert report["running-since-web-1"] == "2026-01-02T00:00:01Z"
    world.ok("ps:restart", "blog")
    assert "Not live:" in world.ok("ps:report", "blog")
    world.ok("ps:stop", "blog")
    assert world.ok("ps:report", "blog", "--running") == "false\n"


def test_report_without_a_scheduler(world, blog):
    blog.scheduler.breaks["processes"] = errors.Unavailable("docker does not answer")
    assert "unknown: docker does not answer" in world.ok("ps:report", "blog")


def test_report_of_an_app_never_deployed_asks_no_scheduler(world, fake):
    world.ok("apps:create", "blog")
    assert world.ok("ps:report", "blog", "--deployed") == "false\n" and fake.scheduler.calls == []


def test_set(world, blog):
    world.ok("ps:set", "blog", "restart-policy", "on-failure:5")
    world.ok("ps:set", "blog", "stop-timeout", "60")
    spec = blog.scheduler.specs["blog_v3.web.1"]
    assert (spec.restart, spec.stop_timeout) == ("on-failure:5", 60)
    assert releases.live("blog").reason == "set: stop-timeout=60"
    world.ok("ps:set", "blog", "restart-policy")
    world.ok("ps:set", "blog", "stop-timeout", "")
    assert blog.scheduler.specs["blog_v5.web.1"].restart == "always" and apps.load("blog").table("ps") == {}


def test_unless_stopped_means_always(world, blog):
    assert "restart-policy of blog is always" in world("ps:set", "blog", "restart-policy", "unless-stopped").err
    apps.edit(
        "blog", lambda document: document.update(ps={"restart-policy": "unless-stopped"})
    )  # of an earlier version
    assert world.ok("ps:report", "blog", "--ps-restart-policy") == "always\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("restart-policy", "often"),
        ("restart-policy", "on-failure:0"),
        ("restart-policy", "always:5"),
        ("restart-policy", "no\n"),
        ("stop-timeout", "0"),
        ("stop-timeout", "-1"),
        ("stop-timeout", "1e3"),
        ("stop-timeout", "86401"),
        ("nice", "5"),
    ],
)
def test_set_refused(world, blog, key, value):
    world.refused("ps:set", "blog", key, value)


def test_inspect(world, blog):
    assert json.loads(world.ok("ps:inspect", "blog")) == [{"Name": "blog_v1.web.1"}]
