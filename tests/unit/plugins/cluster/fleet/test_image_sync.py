import dataclasses
import threading
import types

import pytest

from minipaas_lib import api
from plugins.cluster.fleet import image_sync, leaving_scheduler, nodes
from tests.unit.plugins.cluster.fleet.fakes import ONE, SPEC, TWO, Elsewhere


def test_every_node_gets_the_image_before_anything_starts(world):
    world.start(SPEC)
    world.start(dataclasses.replace(SPEC, name="blog_v3.web.2", index=2))
    assert [world.local.nodes[node].taken for node in (ONE, TWO)] == [["sha256:1"], ["sha256:1"]]


def test_processes_that_start_at_the_same_time_bring_their_image_once(world):
    from concurrent.futures import ThreadPoolExecutor

    specs = [dataclasses.replace(SPEC, name=f"blog_v3.web.{index}", index=index) for index in (1, 2, 3)]
    taken = Elsewhere.take_image

    def slowly(self, image):
        threading.Event().wait(0.1)
        taken(self, image)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(3) as pool:
        patch.setattr(Elsewhere, "take_image", slowly)
        list(pool.map(world.start, specs))
    assert [world.local.nodes[node].taken for node in (ONE, TWO)] == [["sha256:1"], ["sha256:1"]]


def test_old_images_of_an_app_go_from_the_nodes(world, monkeypatch):
    made = {"blog": [("old", 1), ("kept", 2), ("coming", 3)], "clone": [("clones", 1)], "shop": [("shops", 1)]}
    releases = {name: [api.Release(name, n, image=image) for image, n in found] for name, found in made.items()}
    monkeypatch.setattr(
        image_sync,
        "api",
        types.SimpleNamespace(
            app_names=lambda: list(made),
            releases=releases.get,
            release=lambda name, number: releases[name][number - 1],
            errors=api.errors,
            kernel=types.SimpleNamespace(
                release_numbers=lambda name: [one.number for one in releases[name]],
                trashed=types.SimpleNamespace(images=lambda name: {"trashed"} if name == "gone" else set()),
            ),
        ),
    )
    world._nodes.on(world._nodes.all()[0]), world._nodes.on(world._nodes.all()[1])
    one, two = (world.local.nodes[node] for node in (ONE, TWO))
    of_blog = dict.fromkeys(("old", "kept", "coming", "clones", "busy"), "blog")
    one.built = of_blog | {"former": "renamed", "trashed": "gone", "shops-old": "shop"}
    two.built, two.used = {"old": "blog", "busy": "blog"}, {"busy"}
    assert world.drop_unused_images("blog", {"kept"}, 2) == ["busy", "former", "old"]
    assert sorted(one.built) == ["clones", "coming", "kept", "shops-old", "trashed"] and list(two.built) == ["busy"]


def test_images_of_an_app_that_comes_back_from_the_trash_meanwhile_stay(world, monkeypatch):
    names = ["blog"]

    def restored(name):  # what was in the trash is an app by the time that somebody looks there
        names.append(name)
        return set()

    monkeypatch.setattr(
        image_sync,
        "api",
        types.SimpleNamespace(
            app_names=lambda: list(names),
            releases=lambda name: [],
            errors=api.errors,
            kernel=types.SimpleNamespace(
                release_numbers=lambda name: [], trashed=types.SimpleNamespace(images=restored)
            ),
        ),
    )
    world._nodes.on(world._nodes.all()[0])
    world.local.nodes[ONE].built = {"restored": "gone"}
    assert world.drop_unused_images("blog", set(), 1) == []


@pytest.fixture
def three_apps(monkeypatch):
    """blog, whose v1 failed; shop, which was renamed; and news, for nodes with an SSD."""
    made = {
        "blog": [("bad", "failed"), ("blogs", "released")],
        "shop": [("shops", "released")],
        "news": [("new", "released")],
    }
    releases = {name: [types.SimpleNamespace(image=i, status=s) for i, s in found] for name, found in made.items()}
    monkeypatch.setattr(
        image_sync,
        "api",
        types.SimpleNamespace(
            app_names=lambda: sorted(made),
            errors=api.errors,
            output=api.output,
            kernel=types.SimpleNamespace(newest_releases=lambda name: reversed(releases[name])),
        ),
    )
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "ssd"} if app == "news" else {})
    return {
        "blogs": "blog",
        "bad": "blog",
        "pruned": "blog",
        "shops": "store",
        "new": "news",
        "elses": "",
        "gone": "gone",
    }


def test_a_node_that_was_away_gets_what_the_others_keep_of_apps_that_it_may_run(world, three_apps, monkeypatch):
    one, two = (world._nodes.on(machine) for machine in world._nodes.all())
    one.built, two.built = three_apps, {"shops": "store"}
    monkeypatch.setattr(world, "this_machine", lambda: world._nodes.find(TWO))
    world.catch_up()
    assert two.taken == ["blogs"], "not what failed, was let go, is there, is for other nodes or was built for no app"
    monkeypatch.setattr(world, "this_machine", lambda: world._nodes.find(ONE))
    one.built = {}
    two.built = three_apps
    world.catch_up()
    assert one.taken == ["blogs", "shops", "new"]


def test_a_node_that_gives_nothing_is_passed_over(world, three_apps, monkeypatch, capsys):
    one = world._nodes.on(world._nodes.all()[0])
    monkeypatch.setattr(world, "this_machine", lambda: world._nodes.find(TWO))

    def images():
        raise api.errors.Unavailable("it does not answer")

    one.images = images
    world.catch_up()
    assert "node node1 is skipped: it does not answer" in capsys.readouterr().err


def test_a_host_that_joins_gives_the_nodes_what_it_keeps(world, three_apps):
    world.local.built = three_apps
    for machine in world._nodes.all():
        world._nodes.on(machine).gone = set(three_apps)
    world.bring_images()
    assert [world.local.nodes[node].taken for node in (ONE, TWO)] == [["blogs", "shops", "new"], ["blogs", "shops"]]


def test_a_node_that_takes_no_image_of_a_former_release_keeps_no_host_from_joining(world, three_apps, capsys):
    world.local.built = three_apps
    one, two = (world._nodes.on(machine) for machine in world._nodes.all())
    one.gone, two.gone = set(three_apps), set(three_apps)

    def take_image(pieces):
        raise api.errors.Unavailable("docker refuses the image: no space left")

    one.take_image = take_image
    world.bring_images()
    assert (
        sorted(two.taken) == ["blogs", "shops"]
        and "blog: docker refuses the image: no space left" in capsys.readouterr().err
    )


def test_a_host_that_leaves_takes_along_what_the_nodes_keep(world, three_apps):
    one = world._nodes.on(world._nodes.all()[0])
    one.built = three_apps
    world.local.built = {"blogs": "blog"}
    leaving_scheduler.LeavingScheduler(world.local, world.fleet, world.store, world._nodes).bring_images()
    assert world.local.taken == ["shops", "new"]


def test_the_images_on_nodes_of_which_something_is_heard(world, capsys):
    one, two = (world._nodes.on(machine) for machine in world._nodes.all())
    one.built = {"sha256:2": "blog", "sha256:3": ""}

    def images():
        raise api.errors.Unavailable("it does not answer")

    two.images = images
    assert world.node_images([ONE]) == {ONE: one.built} and capsys.readouterr().err == ""
    assert world.node_images([ONE, TWO]) == {ONE: one.built}
    assert "node node2 is skipped: it does not answer" in capsys.readouterr().err


def test_an_image_that_nobody_has(world):
    world.local.gone = {"sha256:1"}
    with pytest.raises(api.errors.DeployFailed, match="gone from this host and from every node"):
        world.start(SPEC)
    assert world.fleet.made == {} and not world.has_image("sha256:1")


def test_a_node_gives_the_image_when_this_host_has_lost_it(world):
    world.start(SPEC)
    world.local.gone = {"sha256:1"}
    world.local.nodes[TWO].gone = {"sha256:1"}
    assert world.has_image("sha256:1")
    world.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))
    assert world.local.nodes[TWO].taken == ["sha256:1", "sha256:1"]


def test_an_image_comes_here_from_a_node(world):
    world.have_image("sha256:2")
    world.start(SPEC)
    world.local.gone = {"sha256:1"}
    world.have_image("sha256:1")
    assert world.local.taken == ["sha256:1"]
    world.local.gone = {"sha256:3"}
    for node in world.local.nodes.values():
        node.gone = {"sha256:3"}
    with pytest.raises(api.errors.Unavailable, match="no node has the image"):
        world.have_image("sha256:3")
