"""A release on three nodes: units run it, agents tell of it, and every node's nginx leads to it."""

import contextlib
import http.client
import threading
import time
from pathlib import Path

import pytest

from minipaas_lib import api, cluster_settings
from minipaas_lib.bus import active_engines
from minipaas_lib.model.healthcheck import Check
from plugins.cluster.fleet import units
from plugins.cluster.fleet.client import Fleet
from plugins.cluster.head import certificate_authority, certificate_renewal, follower_process
from plugins.cluster.transport import protocol
from plugins.cluster.transport import tls as cluster_tls
from tests.cluster import node_image, nodes
from tests.cluster.test_fleet_api import clear, until

AGENT, ROUTER = "minipaas-agent", "minipaas-router"
SHARED = ("minipaas-nginx:/var/lib/minipaas/nginx", "minipaas-run:/run", "minipaas-log:/var/log/nginx")
APP = """\
FROM scratch
COPY busybox /bin/busybox
COPY www /www
ENTRYPOINT ["/bin/busybox"]
"""


@pytest.fixture(scope="module")
def head(cluster, daemon, tmp_path_factory):
    """This process is a head: cluster.toml, certificates, the image on every node, agents and routers at work."""
    folder = tmp_path_factory.mktemp("head")
    patch = pytest.MonkeyPatch()
    patch.setenv("MINIPAAS_ROOT", str(folder / "root"))
    # A head without an nginx: one that may be installed here is another head's.
    patch.setattr(follower_process, "ensure_running", lambda: None)
    (folder / "root").mkdir()
    found = cluster_settings.ClusterSettings(tuple(cluster.etcd.split(",")), fleet=cluster.fleet)
    cluster_settings.write(found)
    active_engines.forget()
    api.kernel.check_store(api.kernel.store())
    (folder / "keys").mkdir()
    for part, keys in certificate_authority.make(str(folder / "keys")).items():
        api.kernel.documents.write(api.kernel.store(), protocol.keys_path(part), keys)
    (folder / "image").mkdir()
    name = node_image.make(folder / "image", found)
    api.kernel.documents.write(api.kernel.store(), "cluster/image.toml", {"name": name})
    cluster.load(name)
    fleet = Fleet(cluster.fleet)
    clear(fleet, cluster)
    for unit, words in ((ROUTER, ("node:router",)), (AGENT, ("node:agent", "--serve"))):
        run = units.node_run(name, *words, name=unit, more=SHARED)
        fleet.submit(unit + ".service", units.global_unit(unit, unit, run))
    try:
        until("all routers to be there", lambda: len(api.kernel.store().children("routers")) == 3, 90)
        yield fleet
    finally:
        for node in cluster.nodes:
            for unit in (ROUTER, AGENT):
                print(node.name, unit, node.exec("docker", "logs", "--tail", "20", unit, check=False))
        clear(fleet, cluster)
        for path in api.kernel.store().list(""):
            with contextlib.suppress(api.errors.NotFound):
                api.kernel.store().delete(path)
        active_engines.forget()
        patch.undo()
        from minipaas_lib import store

        store._opened.clear()


@pytest.fixture(scope="module")
def image(head, tmp_path_factory):
    """An app's image, on the head alone."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "Dockerfile").write_text(APP)
    (folder / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (folder / "busybox").chmod(0o755)
    (folder / "www").mkdir()
    (folder / "www" / "index.html").write_text("hello from the nodes\n")
    nodes.docker("build", "-q", "-t", "mpc-test/app:1", str(folder))
    yield nodes.docker("images", "-q", "--no-trunc", "mpc-test/app:1").strip()
    nodes.docker("rmi", "-f", "mpc-test/app:1", check=False)


@pytest.fixture(scope="module")
def deployed(image):
    """blog v1 with two processes, as a deploy would have left it."""
    api.kernel.create_app("blog")
    made = api.Release(
        "blog",
        1,
        image=image,
        commands={"web": ["httpd", "-f", "-p", "5000", "-h", "/www"]},
        formation={"web": 2},
        processes=1,
        port=5000,
        status="released",
        options={"web": {"stop_timeout": 2}},
        routing={"domains": ["blog.example.org"], "listeners": [["http", 80, 5000]]},
        healthchecks={"web": [Check("liveness", "up", "path", path="/", wait=1).to_document()]},
    )
    api.kernel.documents.write(api.kernel.store(), "apps/blog/releases/1.toml", made.to_document())
    started = [api.scheduler().start(api.kernel.container_spec(made, "web", index)) for index in (1, 2)]
    api.router().apply(route_to(started))
    yield made
    for process in api.scheduler().processes("blog"):
        api.scheduler().stop(process, 1)
    api.router().remove("blog")
    api.kernel.store().delete_tree("apps/blog")


@pytest.fixture
def started(cluster, deployed):
    """The two processes, when all that earlier tests have broken is well again."""
    wait_until_well(cluster, 90)
    return api.scheduler().processes("blog")


def route_to(processes, generation="v1"):
    listeners, backends = (api.Listener("http", 80, 5000),), tuple(process.backend for process in processes)
    return api.Route("blog", generation, ("blog.example.org",), listeners, backends)


def wait_until_well(cluster, limit: float = 60) -> None:
    """Wait until both processes run, every node's agent follows the routes, and every node's nginx leads there."""
    end = time.monotonic() + limit
    while wrong := what_is_wrong(cluster):
        assert time.monotonic() < end, f"after {limit} s: {wrong}"
        time.sleep(0.3)


def what_is_wrong(cluster) -> list[str]:
    wrong = []
    try:
        processes = api.scheduler().processes("blog")
        ill = [one for one in processes if one.state != "running" or not one.address]
        wrong += [f"{one.name}: {one.state} {one.address}" for one in ill]
        wrong += ["there are not two processes on two nodes"] * (len({one.node for one in processes}) != 2)
        routers = api.kernel.store().children("routers")
        wrong += [f"there are the routers {routers}"] * (len(routers) != 3)
        wrong += ["not all have the route"] * (not api.router().applied("blog"))
    except api.errors.Unavailable as error:
        wrong.append(str(error))
    for node in cluster.nodes:
        try:
            status, _ = get(node)
            wrong += [f"{node.name} answers {status}"] * (status != 200)
        except (OSError, http.client.HTTPException) as error:
            wrong.append(f"{node.name}: {error!r}")
    return wrong


class Load:
    """Requests to the nginx of each of these nodes, one after the other, until its block ends.

    `failed` are those that got no answer or another one than the page; `cut` those that broke off in the middle of it.
    """

    def __init__(self, routers):
        self.routers, self.total, self.failed, self.cut = routers, 0, [], []
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)
        print(f"{len(self.failed)} of {self.total} failed, {len(self.cut)} were cut: {self.failed[:3]}")

    def _work(self):
        while not self._ended.is_set():
            for router in self.routers:
                self.total += 1
                try:
                    status, _ = get(router)
                    if status != 200:
                        self._fail(router, status)
                except http.client.IncompleteRead:
                    self.cut.append(router.name)
                except (OSError, http.client.HTTPException) as error:
                    self._fail(router, repr(error))
            time.sleep(0.01)

    def _fail(self, router, said):
        self.failed.append(f"{router.name} after {time.monotonic() - self._began:.1f} s: {said}")


def get(node: nodes.Node, host: str = "blog.example.org") -> tuple[int, str]:
    connection = http.client.HTTPConnection(node.address, 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def containers(cluster, name):
    """The names of the nodes on which a container of that name runs."""
    return [node.name for node in cluster.nodes if node.exec("docker", "ps", "-q", "-f", f"name=^{name}$").strip()]


@pytest.mark.needed_by_others  # and its time is that of the fixtures of all
def test_a_release_runs_on_two_nodes_and_every_node_leads_to_it(cluster, started):
    assert len({process.node for process in started}) == 2, "two processes, two nodes"
    for node in cluster.nodes:
        assert get(node) == (200, "hello from the nodes\n"), node.name
    assert get(cluster.nodes[0], "other.example.org")[0] == 404
    assert [process.name for process in started] == ["blog_v1.web.1", "blog_v1.web.2"]
    assert api.router().applied("blog") == "v1"
    for node in cluster.nodes:
        assert "hello" not in node.exec("cat", "/run/fleet/units/blog_v1.web.1.service", check=False)


def test_commands_reach_a_process_on_its_node(started):
    process = started[0]
    said = api.scheduler().probe(process, ["/bin/busybox", "cat", "/www/index.html"], 20)
    assert said == (0, "hello from the nodes\n")
    assert api.scheduler().inspect(process)["Name"] == "/blog_v1.web.1"
    assert api.scheduler().diagnose(process).state == "running"
    # its check has the tool that it runs with, from the image of nodes
    until("it to be alive", lambda: api.scheduler().inspect(process)["State"]["Health"]["Status"] == "healthy")


def test_no_request_fails_when_a_process_is_killed(cluster, started):
    process = started[0]

    def back():
        now = api.scheduler().refresh(process)
        return now.state == "running" and now.started != process.started

    with Load(cluster.nodes) as load:
        cluster.node(process.node).exec("docker", "kill", process.name)
        until("the process to be back", back, 60)
    assert load.total > 10 and not load.failed and len(load.cut) <= 1


def test_agents_and_a_fleet_are_killed_and_come_back(cluster, started):
    grown = "/var/log/nginx/blog-access.log"
    cluster.nodes[0].exec("docker", "exec", ROUTER, "sh", "-c", f"head -c 40M /dev/zero >> {grown}")
    with Load(cluster.nodes) as load:
        for node in cluster.nodes:
            node.exec("docker", "kill", AGENT)
        cluster.node(started[0].node).exec("systemctl", "kill", "-s", "KILL", "fleet.service")
        began = time.monotonic()
        api.router().apply(route_to(started, "v2"))  # waits for all of them
        turned_over = ("docker", "exec", ROUTER, "sh", "-c", f"test -s {grown}.1 && test -s {grown} && echo yes")
        until("a log that has grown to be begun anew", lambda: cluster.nodes[0].exec(*turned_over, check=False))
        assert api.scheduler().diagnose(started[1]).state == "running"
        print(f"routes are followed after {time.monotonic() - began:.1f} s")
    assert load.total > 10 and not load.failed and not load.cut


def test_docker_restarts_on_a_node(cluster, started):
    node = cluster.node(started[0].node)
    with Load([one for one in cluster.nodes if one is not node]) as load:
        began = time.monotonic()
        node.exec("systemctl", "restart", "docker.service")
        wait_until_well(cluster)
        print(f"well after {time.monotonic() - began:.1f} s")
    assert load.total > 10 and not load.failed and len(load.cut) <= 1
    until("one of each to be left", lambda: [len(containers(cluster, one.name)) for one in started] == [1, 1])


def test_a_node_is_cut_off_from_etcd_and_comes_back(cluster, started):
    process = started[0]
    node = cluster.node(process.node)
    with Load(cluster.nodes) as load:
        cluster.cut_off(node.name, "etcd")
        try:
            until("it to run elsewhere", lambda: len(containers(cluster, process.name)) == 2, 60)
            time.sleep(2)
        finally:
            cluster.heal(node.name)
        until("the double to be gone", lambda: len(containers(cluster, process.name)) == 1, 60)
        wait_until_well(cluster, 20)  # nobody believes the node on which it ended
    assert load.total > 10 and not load.failed and len(load.cut) <= 2


def test_a_node_out_of_reach_slows_no_request_down_for_long(cluster, started):
    """Its processes are still told of, as those of a node that was just lost; a try to connect takes two seconds."""
    process = started[0]
    node = cluster.node(process.node)
    others = [one for one in cluster.nodes if one is not node]

    def led_to() -> list[bool]:
        [(_, port)] = process.backend.ports
        conf = ("docker", "exec", ROUTER, "cat", "/var/lib/minipaas/nginx/live/blog.conf")
        return [f"{process.address}:{port}" in one.exec(*conf) for one in others]

    until("all to lead there", lambda: led_to() == [True, True])
    with Load(others) as load:
        began = time.monotonic()
        cluster.cut_off(node.name, "web")
        try:
            until("none to lead there", lambda: led_to() == [False, False], 30)
            print(f"not led there after {time.monotonic() - began:.1f} s")
            time.sleep(1.5)  # nginx's former workers end
            before = load.total
            time.sleep(3)
            assert load.total - before > 50, "no request waits"
            assert api.scheduler().refresh(process).started == process.started, "it was told of all the while"
        finally:
            cluster.heal(node.name)
        until("all to lead there again", lambda: led_to() == [True, True], 30)
    assert load.total > 10 and not load.failed and not load.cut


def test_etcd_loses_its_quorum_for_a_while(cluster, started):
    with Load(cluster.nodes) as load:
        for node in cluster.nodes[:2]:
            node.exec("systemctl", "kill", "-s", "STOP", "etcd.service")
        try:
            time.sleep(12)  # longer than fleet's TTL
            began = time.monotonic()
            with pytest.raises(api.errors.Unavailable, match="etcd"):
                api.kernel.documents.write(api.kernel.store(), "apps/blog/x.toml", {})
            assert time.monotonic() - began < 15, "it waits 6 to 10 seconds, in which a new leader may be elected"
        finally:
            for node in cluster.nodes[:2]:
                node.exec("systemctl", "kill", "-s", "CONT", "etcd.service")
        wait_until_well(cluster)
    assert load.total > 10 and not load.failed and len(load.cut) <= 2


def test_fleet_moves_all_processes_at_once_and_none_ends_before_it_runs_elsewhere(cluster, started):
    """As it may after a quorum was lost for longer than its TTL."""
    first, second = started
    free = next(node.machine for node in cluster.nodes if node.machine not in (first.node, second.node))
    to = {first.name: free, second.name: first.node}  # in this order: at no time are both meant for one node
    begun = {process.name: process.started for process in started}

    def moved():  # the engine may have a better idea meanwhile
        now = api.scheduler().processes("blog")
        return [one.state for one in now if one.started > begun[one.name]] == ["running", "running"]

    with Load(cluster.nodes) as load:
        for name, machine in to.items():
            target = f"/_coreos.com/fleet/job/{name}.service/target"
            cluster.nodes[0].exec("env", "ETCDCTL_API=2", "etcdctl", "set", target, machine)
        began = time.monotonic()
        until("all to have been moved", moved, 90)
        until("the former ones to be gone", lambda: [len(containers(cluster, name)) for name in to] == [1, 1], 90)
        print(f"moved after {time.monotonic() - began:.1f} s")
    assert load.total > 10 and not load.failed and not load.cut


def test_a_bad_document_is_one_apps_own_fault(cluster, started):
    store = api.kernel.store()
    store.write("routes/broken.toml", "not = [toml")
    store.write("routes/evil.toml", 'generation = "v1"\ndomains = ["evil; }"]\nlisteners = [["http", 80, 99999]]\n')
    store.write("services/blog/nobody", "\x07", ttl=60)
    store.write("services/blog/blog_v1.web.9", 'address = "1.2.3.4; }"', ttl=60)
    try:
        with Load(cluster.nodes) as load:
            api.router().apply(route_to(started, "v3"))
            until("some requests", lambda: load.total > 10)
            wait_until_well(cluster)
        assert api.router().applied("blog") == "v3" and not load.failed
    finally:
        for path in ("routes/broken.toml", "routes/evil.toml", "services/blog/nobody", "services/blog/blog_v1.web.9"):
            store.delete(path)


def test_a_node_that_dies_is_routed_around_and_its_process_comes_up_elsewhere(cluster, started):
    process = started[0]
    node = cluster.node(process.node)

    def elsewhere():
        now = api.scheduler().refresh(process)
        return now.node != process.node and now.state == "running"

    with Load([one for one in cluster.nodes if one is not node]) as load:
        began = time.monotonic()
        cluster.kill(node.name)
        try:
            until("it to run elsewhere", elsewhere, 90)
            print(f"elsewhere after {time.monotonic() - began:.1f} s")
        finally:
            cluster.boot(node.name)
    assert load.total > 10 and not load.failed and len(load.cut) <= 1


def test_certificates_are_renewed_while_every_node_is_reached(head):
    """The last one here: what this process had opened before shows the former certificates."""
    store, machines = api.kernel.store(), api.scheduler().machines
    former = dict(api.kernel.documents.read(store, protocol.keys_path("head")))
    answers, ending = [], threading.Event()

    def everybody() -> bool:
        tls = cluster_tls.client_context(former)
        return all(
            certificate_renewal.comes_in(machine.address, protocol.AGENT_PORT, tls) for machine in machines.members()
        )

    until(
        "the agents of all nodes", everybody, 60
    )  # the agent of a node that an earlier test cut off may only just have come back

    def visit() -> None:
        while not ending.is_set():
            tls = cluster_tls.client_context(dict(api.kernel.documents.read(store, protocol.keys_path("head"))))
            answers.extend(
                certificate_renewal.comes_in(machine.address, protocol.AGENT_PORT, tls)
                for machine in machines.members()
            )

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        certificate_renewal.renew(store, machines)
    finally:
        ending.set()
        visitor.join()
    active_engines.forget()
    assert len(answers) > 9 and set(answers) == {True}
    now = dict(api.kernel.documents.read(store, protocol.keys_path("head")))
    for machine in machines.members():
        assert (
            certificate_renewal.comes_in(machine.address, protocol.AGENT_PORT, cluster_tls.client_context(now)) is True
        )
        assert (
            certificate_renewal.comes_in(
                machine.address,
                protocol.AGENT_PORT,
                cluster_tls.client_context(former | {"ca": now["ca"]}),
            )
            is False
        )
    assert len(api.scheduler().node_images(api.router().routers())) == len(machines.members()), "their dockers answer"
