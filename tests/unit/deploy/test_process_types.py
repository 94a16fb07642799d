"""Process types as Heroku has them, those that have left the Procfile, and releases of which nothing runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import api, names
from minipaas_lib.deploy import urls
from minipaas_lib.model import procfile, service
from minipaas_lib.model.process import Process, process_name
from plugins.cluster.fleet import units
from plugins.enter import choice
from plugins.logs import lines

KINDS = st.text("abAB01_-", min_size=1, max_size=31)


@given(KINDS, st.from_regex(names.APP_NAME, fullmatch=True), st.integers(1, 999), st.integers(1, 99))
def test_the_name_of_a_process_says_which_it_is(kind, app, release, index):
    name = process_name(app, release, kind, index)
    assert units.process_of(units.unit_name(name)) == (app, release, kind, index)
    process = Process(
        name=name,
        app=app,
        release=release,
        process_type=kind,
        index=index,
        id="ab",
        address="",
        state="running",
        node="n1",
    )
    found = service.from_document(name, service.to_document(process))
    assert (found.app, found.release, found.process_type, found.index) == (app, release, kind, index)


@given(KINDS)
def test_a_type_is_taken_everywhere(kind):
    assert procfile.parse(f"{kind}: run it\n".encode()) == {kind: "run it"}
    assert lines.chosen(f"{kind}.2") == (kind, 2)
    process = Process(
        name=f"b_v1.{kind}.1", app="b", release=1, process_type=kind, index=1, id="", address="", state="running"
    )
    assert choice.choose(f"{kind}.1", [process], "b") is process


def test_types_with_capitals_and_underscores_are_scaled_and_told_apart(fake, world):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "", "Web": "x", "web_x": "y", "delayed_JOB": "z"})
    world.ok("ps:scale", "blog", "web_x=2", "delayed_JOB=1", "Web=1")
    assert {p.name for p in fake.scheduler.processes("blog")} >= {
        "blog_v1.web_x.2",
        "blog_v1.delayed_JOB.1",
        "blog_v1.Web.1",
        "blog_v1.web.1",
    }
    assert fake.routed("blog") == ["blog_v1.web.1"], "only web takes requests"
    world.ok("checks:disable", "blog", "delayed_JOB,web_x")
    assert "delayed_JOB web_x" in world.ok("checks:report", "blog")
    assert "reserved" in world.refused("checks:disable", "blog", "_all_")
    fake.deploy("blog", {"web": "", "-x": "y"})
    world.ok("ps:scale", "blog", "--", "-x=1")
    assert world.ok("ps:scale", "blog") == "web=1\n-x=1\n"


def test_a_type_that_left_is_set_to_0_and_forgotten(fake, world):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": "", "worker": "x"})
    world.ok("ps:scale", "blog", "worker=3")
    fake.deploy("blog", {"web": ""})
    assert "no process type worker" in world.refused("ps:scale", "blog", "worker=2")
    done = world("ps:scale", "blog", "worker=0", "web=2")
    assert done.status == 0 and "worker is not in the Procfile of blog" in done.err
    assert api.app("blog").formation == {"web": 2}
    assert "no process type worker" in world.refused("ps:scale", "blog", "worker=0"), "nothing is left to forget"
    fake.deploy("blog", {"web": "", "worker": "x"})
    assert world.ok("ps:scale", "blog") == "web=2\nworker=0\n"


@pytest.mark.parametrize(
    "commands, scaled, says, url",
    [
        ({"web": ""}, [], "", True),
        ({"worker": "x"}, [], "no process of blog is running (worker=0); to start one: ps:scale blog worker=1", False),
        (
            {"web": "", "worker": "x"},
            ["web=0"],
            "no process of blog is running (web=0, worker=0); to start one: ps:scale blog web=1",
            False,
        ),
        (
            {"web": "", "worker": "x"},
            ["web=0", "worker=1"],
            "no web process of blog is running, so its domains answer 503; to start one: ps:scale blog web=1",
            False,
        ),
        ({"Web": "x"}, ["Web=1"], "blog has no process type web, so its domains answer 503", False),
    ],
)
def test_a_release_that_serves_nothing_says_so(fake, world, capsys, commands, scaled, says, url):
    world.ok("apps:create", "blog")
    world.ok("domains:set", "blog", "blog.example.org")
    if scaled:
        world.ok("ps:scale", "blog", *scaled)
    release = fake.deploy("blog", commands)
    capsys.readouterr()
    urls.print_urls(release)
    said = capsys.readouterr().err
    assert says in said and ("http://blog.example.org" in said) is url
    assert says in world("urls", "blog").err


def test_scaling_to_nothing_is_told(fake, world):
    world.ok("apps:create", "blog")
    fake.deploy("blog", {"web": ""})
    assert "no process of blog is running" in world("ps:scale", "blog", "web=0").err
    assert "no process of blog is running" not in world("ps:scale", "blog", "web=1").err
