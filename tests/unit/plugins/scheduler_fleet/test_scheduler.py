import dataclasses
import itertools
import threading
import types

import pytest

from minipaas_lib import api
from minipaas_lib.model import service
from minipaas_lib.store.directory import DirectoryStore
from plugins.scheduler_fleet import client, homeward, images, nodes, poller, scheduler, units
from tests.fakes import FakeScheduler

ONE, TWO = "1" * 32, "2" * 32
SPEC = api.ContainerSpec(
    "blog_v3.web.1", "blog", 3, "web", 1, image="sha256:1", command="serve", port=5000, ports=(5000,)
)


class Elsewhere(FakeScheduler):
    """A scheduler that makes others of its kind for nodes."""

    def __init__(self):
        super().__init__()
        self.nodes, self.taken, self.built, self.used = {}, [], {}, set()

    def elsewhere(self, url, published_at="", node="", beside=""):
        made = Elsewhere()
        made.gone, made.node = {"sha256:1"}, node
        return self.nodes.setdefault(node, made)

    def give_image(self, image):
        yield image.encode()

    def take_image(self, pieces):
        image = b"".join(pieces).decode()
        self.gone.discard(image)
        self.taken.append(image)

    def images(self):
        return dict(self.built)

    def drop_image(self, image):
        return image not in self.used and self.built.pop(image, None) is not None


class Fleet:
    """fleet, and the agents that tell the store of what it starts: on the first machine that the unit may go to."""

    def __init__(self, store):
        self.store, self.made, self.there = store, {}, []
        self.started = "running"
        self.ports = itertools.count(49153)
        self.asked = 0

    def machines(self):
        return [
            client.Machine(ONE, "192.0.2.1", {"node": "node1", "disk": "ssd"}),
            client.Machine(TWO, "192.0.2.2", {"node": "node2"}),
        ]

    def units(self):
        return [
            client.Unit(name, "launched", "launched", ONE, tuple(options))
            for name, options in sorted(self.made.items())
        ]

    def unit(self, name):
        return next((unit for unit in self.units() if unit.name == name), None)

    def submit(self, name, options, desired="launched"):
        self.made[name] = options
        app, release, kind, index = units.process_of(name)
        state = {"running": ("active", "running"), "broken": ("activating", "auto-restart")}.get(self.started)
        if state:
            self.there.append(client.State(name, ONE, "loaded", *state, "0"))
        if self.started == "running":
            process = api.Process(
                name.removesuffix(".service"), app, release, kind, index, id="ab", address="192.0.2.1", port=5000,
                state="running", adopted=True, node=ONE, ports=((5000, next(self.ports)),),
            )  # fmt: skip
            api.documents.write(self.store, service.path(process), service.to_document(process), ttl=60)

    def destroy(self, name):
        self.there = [state for state in self.there if state.name != name]
        return self.made.pop(name, None) is not None

    def states(self):
        self.asked += 1
        return self.there


class Tunnels:
    def url(self, address):
        return f"unix:///{address}"


@pytest.fixture
def world(tmp_path, monkeypatch):
    store = DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))
    api.documents.write(store, nodes.IMAGE, {"name": "minipaas-node:1"})
    fleet, local = Fleet(store), Elsewhere()
    monkeypatch.setattr(nodes, "tags", lambda app: {})
    monkeypatch.setattr(poller, "INTERVAL", 0.02)
    monkeypatch.setattr(scheduler, "PLACED", 0.3)
    monkeypatch.setattr(scheduler, "STARTED", 0.3)
    monkeypatch.setattr(scheduler, "SETTLED", 0.0)
    made = scheduler.FleetScheduler(local, fleet, store, nodes.Nodes(local, fleet, Tunnels))
    made._poller = poller.Poller(fleet.states, 0.02)
    made.fleet, made.store = fleet, store
    return made


def test_a_process_is_a_unit_and_is_where_its_node_tells(world):
    process = world.start(SPEC)
    assert list(world.fleet.made) == ["blog_v3.web.1.service"]
    assert (process.node, process.address, process.ports) == (ONE, "192.0.2.1", ((5000, 49153),))
    assert world.processes("blog") == [process] and world.processes("shop") == [] and world.refresh(process) == process


def test_processes_that_share_a_node_while_there_are_enough_are_told_of(world, capsys):
    world.start(SPEC)
    assert "shares" not in capsys.readouterr().err
    world.start(dataclasses.replace(SPEC, name="blog_v3.web.2", index=2))
    assert "web.2 shares node1 with web.1\n" in capsys.readouterr().err
    world.start(dataclasses.replace(SPEC, name="blog_v3.web.3", index=3))
    world.start(dataclasses.replace(SPEC, name="blog_v4.web.2", release=4, index=2))
    assert "shares" not in capsys.readouterr().err, "three processes cannot keep apart on two nodes; releases need not"


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
    monkeypatch.setattr(images, "api", types.SimpleNamespace(
        app_names=lambda: list(made), releases=releases.get, release=lambda name, number: releases[name][number - 1],
        release_numbers=lambda name: [one.number for one in releases[name]], errors=api.errors,
        trash=types.SimpleNamespace(images=lambda name: {"trashed"} if name == "gone" else set()),
    ))  # fmt: skip
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

    monkeypatch.setattr(images, "api", types.SimpleNamespace(
        app_names=lambda: list(names), releases=lambda name: [], release_numbers=lambda name: [],
        trash=types.SimpleNamespace(images=restored), errors=api.errors,
    ))  # fmt: skip
    world._nodes.on(world._nodes.all()[0])
    world.local.nodes[ONE].built = {"restored": "gone"}
    assert world.drop_unused_images("blog", set(), 1) == []


@pytest.fixture
def three_apps(monkeypatch):
    """blog, whose v1 failed; shop, which was renamed; and news, for nodes with an SSD."""
    made = {"blog": [("bad", "failed"), ("blogs", "released")], "shop": [("shops", "released")], "news": [("new", "released")]}
    releases = {name: [types.SimpleNamespace(image=i, status=s) for i, s in found] for name, found in made.items()}
    monkeypatch.setattr(images, "api", types.SimpleNamespace(
        app_names=lambda: sorted(made), newest_releases=lambda name: reversed(releases[name]), errors=api.errors, output=api.output
    ))  # fmt: skip
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "ssd"} if app == "news" else {})
    return {"blogs": "blog", "bad": "blog", "pruned": "blog", "shops": "store", "new": "news", "elses": "", "gone": "gone"}


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
    assert "node node1 is passed over: it does not answer" in capsys.readouterr().err


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
    assert sorted(two.taken) == ["blogs", "shops"] and "blog: docker refuses the image: no space left" in capsys.readouterr().err


def test_a_host_that_leaves_takes_along_what_the_nodes_keep(world, three_apps):
    one = world._nodes.on(world._nodes.all()[0])
    one.built = three_apps
    world.local.built = {"blogs": "blog"}
    homeward.HomewardScheduler(world.local, world.fleet, world.store, world._nodes).bring_images()
    assert world.local.taken == ["shops", "new"]


def test_the_images_on_nodes_of_which_something_is_heard(world, capsys):
    one, two = (world._nodes.on(machine) for machine in world._nodes.all())
    one.built = {"sha256:2": "blog", "sha256:3": ""}

    def images():
        raise api.errors.Unavailable("it does not answer")

    two.images = images
    assert world.node_images([ONE]) == {ONE: one.built} and capsys.readouterr().err == ""
    assert world.node_images([ONE, TWO]) == {ONE: one.built}
    assert "node node2 is passed over: it does not answer" in capsys.readouterr().err


def test_detached_runs_have_numbers_of_their_own_whichever_nodes_they_are_on(world, monkeypatch):
    names = [world.detach(SPEC).process.name for _ in range(4)]
    assert names == [f"blog.run.000{number}" for number in (1, 2, 3, 4)]
    known, write = len(names), world.store.write

    def at_the_same_time(path, text, revision):
        monkeypatch.setattr(world.store, "write", write)
        world.detach(SPEC)
        return write(path, text, revision)

    monkeypatch.setattr(world.store, "write", at_the_same_time)
    assert world.detach(SPEC).process.index == known + 2
    assert [one.process.index for one in world.detached("blog")] == [1, 2, 3, 4, 5, 6]


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


def test_nothing_is_for_a_machine_that_is_no_node(world, monkeypatch):
    world.start(SPEC)
    assert not any(option.value == "minipaas-node=yes" for option in world.fleet.made["blog_v3.web.1.service"])
    there = [client.Machine(ONE, "192.0.2.1", {"minipaas-node": "yes"}),
             client.Machine(TWO, "192.0.2.2", {"minipaas-node": "no"})]  # fmt: skip
    monkeypatch.setattr(world.fleet, "machines", lambda: there)
    monkeypatch.setattr(nodes, "FRESH", 0.0)
    world.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))
    options = world.fleet.made["blog_v4.web.1.service"]
    assert ("MachineMetadata", "minipaas-node=yes") in [(option.name, option.value) for option in options]
    assert [machine.id for machine in world._nodes.all()] == [ONE]


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


def test_no_machine_with_the_tags_is_an_error_at_once(world, monkeypatch):
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "nvme"})
    with pytest.raises(
        api.errors.DeployFailed, match="no node has disk=nvme .there are: node1: disk=ssd node=node1; node2: node=node2"
    ):
        world.start(SPEC)
    monkeypatch.setattr(nodes, "tags", lambda app: {"disk": "ssd"})
    world.start(SPEC)
    (option,) = [one for one in world.fleet.made["blog_v3.web.1.service"] if one.name == "MachineMetadata"]
    assert "disk=ssd" in option.value


@pytest.mark.parametrize(
    ("how", "said"), [("broken", "cannot be started on node node1"), ("nowhere", "waited 0 seconds for fleet to find")]
)
def test_a_unit_that_does_not_start_is_removed(world, how, said):
    world.fleet.started = how
    with pytest.raises(api.errors.DeployFailed, match=said):
        world.start(SPEC)
    assert world.fleet.made == {}


def test_what_is_left_of_a_former_unit_of_the_name_is_no_failure(world, monkeypatch):
    world.fleet.there = [client.State("blog_v3.web.1.service", TWO, "loaded", "failed", "failed", "0")]
    world.fleet.started = "nowhere"
    with pytest.raises(api.errors.DeployFailed, match="waited 0 seconds for blog_v3.web.1 to start"):
        world.start(SPEC)


def test_a_former_unit_that_failed_on_the_same_machine_is_waited_for(world, monkeypatch):
    world.fleet.started = "nowhere"
    failed = client.State("blog_v3.web.1.service", ONE, "loaded", "failed", "failed", "0")
    world.fleet.there = [failed]
    with pytest.raises(api.errors.DeployFailed, match="waited 0 seconds for blog_v3.web.1 to start"):
        world.start(SPEC)
    world.fleet.there = [failed]
    monkeypatch.setattr(scheduler, "LINGER", 0.1)
    with pytest.raises(api.errors.DeployFailed, match="its unit is failed"):
        world.start(SPEC)


def test_what_was_told_of_a_former_process_of_the_name_is_forgotten(world):
    former = world.start(SPEC)
    world.fleet.destroy("blog_v3.web.1.service")
    world.fleet.started = "nowhere"
    with pytest.raises(api.errors.DeployFailed):
        world.start(SPEC)
    assert world.refresh(former).state == "missing"


def test_stopping_destroys_the_unit_before_the_container(world):
    process = world.start(SPEC)
    near = world.local.nodes[ONE]
    near.containers[process.name] = process
    seen = []
    near.stop = lambda one, timeout=None: seen.append((one.name, dict(world.fleet.made)))
    world.stop(process)
    assert seen == [(process.name, {})]
    world.stop(process)


def test_the_processes_of_this_host_go_on_being_its_own(world):
    old = world.local.start(dataclasses.replace(SPEC, name="blog_v2.web.1", release=2))
    new = world.start(SPEC)
    assert world.processes("blog") == [old, new]
    world.adopt([old, new])
    world.disown([old])
    world.stop(old)
    assert world.local.names() == [] and world.processes("blog") == [new]
    assert world.local.calls.count(("adopt", old.name)) == 1


def test_a_silent_process_is_what_systemd_says(world):
    process = world.start(SPEC)
    world.store.delete(service.path(process))
    (silent,) = world.processes("blog")
    assert (silent.state, silent.node, silent.address) == ("running", ONE, "")
    world.fleet.there = [world.fleet.there[0]._replace(active="failed", sub="failed")]
    world._poller = poller.Poller(world.fleet.states, 0.0)
    assert world.refresh(process).state == "exited"
    world.fleet.destroy("blog_v3.web.1.service")
    assert world.refresh(process).state == "missing"


def test_an_adopted_unit_that_somebody_removed(world):
    process = world.start(SPEC)
    world.fleet.destroy("blog_v3.web.1.service")
    with pytest.raises(api.errors.Unavailable, match="somebody has removed it"):
        world.adopt([process])


def test_a_bad_document_is_nobodys_process(world, capsys):
    process = world.start(SPEC)
    world.store.write("services/blog/blog_v3.web.9", "x = [", ttl=60)
    assert world.processes("blog") == [process] and "is passed over" in capsys.readouterr().err


def test_fleet_is_asked_once_an_interval_whatever_the_number(world):
    world._poller = poller.Poller(world.fleet.states, 5.0)
    specs = [dataclasses.replace(SPEC, name=f"blog_v3.web.{i}", index=i) for i in range(1, 21)]
    threads = [threading.Thread(target=world.start, args=(spec,)) for spec in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(world.fleet.made) == 20 and world.fleet.asked <= 2


def test_one_offs_go_to_a_node(world):
    assert world.run(SPEC) == 0 and world.task(SPEC, print) == 0
    calls = [call for near in world.local.nodes.values() for call in near.calls]
    assert ("run", "serve") in calls and ("task", "serve") in calls
    world.tidy("blog")
    assert all(("tidy", "blog") in near.calls for near in (world.local, *world.local.nodes.values()))


def test_a_process_on_a_lost_node_says_so(world):
    process = dataclasses.replace(world.start(SPEC), node="9" * 32)
    with pytest.raises(api.errors.Unavailable, match="the node of blog_v3.web.1 is not there"):
        world.logs([process])


def test_nothing_starts_on_a_drained_node(world):
    api.documents.write(world.store, nodes.DRAINED, {"nodes": [TWO]})
    world.start(SPEC)
    options = world.fleet.made["blog_v3.web.1.service"]
    assert [one.value for one in options if one.name == "MachineMetadata"] == [f"minipaas={ONE}"]
    assert TWO not in world.local.nodes, "it gets no image either"
    api.documents.write(world.store, nodes.DRAINED, {"nodes": [ONE, TWO]})
    with pytest.raises(api.errors.DeployFailed, match="no node has come yet"):
        world.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))


def test_a_broken_word_on_drained_nodes_is_none(world):
    world.store.write(nodes.DRAINED, 'nodes = "all"\n')
    assert nodes.drained(world.store) == set()


def test_on_the_way_back_what_starts_starts_here(world):
    from plugins.scheduler_fleet import homeward

    world.start(SPEC)
    world.local.gone = {"sha256:1"}
    back = homeward.HomewardScheduler(world.local, world.fleet, world.store, world._nodes)
    started = back.start(dataclasses.replace(SPEC, name="blog_v4.web.1", release=4))
    assert started.node == "" and world.local.taken == ["sha256:1"]
    assert sorted(world.fleet.made) == ["blog_v3.web.1.service"]
    assert [process.name for process in back.processes("blog")] == ["blog_v3.web.1", "blog_v4.web.1"]
    assert back._somewhere(SPEC) is world.local
