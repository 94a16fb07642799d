"""A release on three nodes: units run it, agents tell of it, and every node's nginx leads to it."""

import contextlib
import http.client
import threading
import time
from pathlib import Path

import pytest

from minipaas_lib import api, cluster_settings
from minipaas_lib.pipeline import engines
from plugins.cluster import certificates
from plugins.scheduler_fleet import units
from plugins.scheduler_fleet.client import Fleet
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
    (folder / "root").mkdir()
    found = cluster_settings.ClusterSettings(tuple(cluster.etcd.split(",")), fleet=cluster.fleet)
    cluster_settings.write(found)
    engines.forget()
    api.check_store(api.store())
    (folder / "keys").mkdir()
    for part, keys in certificates.make(str(folder / "keys")).items():
        api.documents.write(api.store(), f"cluster/{part}.toml", keys)
    (folder / "image").mkdir()
    name = node_image.make(folder / "image", found)
    api.documents.write(api.store(), "cluster/image.toml", {"name": name})
    cluster.load(name)
    fleet = Fleet(cluster.fleet)
    clear(fleet, cluster)
    for unit, words in ((ROUTER, ("node:router",)), (AGENT, ("node:agent", "--serve"))):
        run = units.node_run(name, *words, name=unit, more=SHARED)
        fleet.submit(unit + ".service", units.global_unit(unit, unit, run))
    try:
        until("all routers to be there", lambda: len(api.store().children("routers")) == 3, 90)
        yield fleet
    finally:
        for node in cluster.nodes:
            for unit in (ROUTER, AGENT):
                print(node.name, unit, node.exec("docker", "logs", "--tail", "20", unit, check=False))
        clear(fleet, cluster)
        for path in api.store().list(""):
            with contextlib.suppress(api.errors.NotFound):
                api.store().delete(path)
        engines.forget()
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


@pytest.fixture
def release(image):
    """blog v1, in the store; whatever runs of it is gone afterwards."""
    api.create_app("blog")
    made = api.Release(
        "blog", 1, image=image, commands={"web": ["httpd", "-f", "-p", "5000", "-h", "/www"]}, formation={"web": 2}, processes=1, port=5000, status="released",
        routing={"domains": ["blog.example.org"], "listeners": [["http", 80, 5000]]},
        options={"web": {"stop_timeout": 2}},
    )  # fmt: skip
    api.documents.write(api.store(), "apps/blog/releases/1.toml", made.to_document())
    yield made
    for process in api.scheduler().processes("blog"):
        api.scheduler().stop(process, 1)
    api.router().remove("blog")
    api.store().delete_tree("apps/blog")


def get(node: nodes.Node, host: str = "blog.example.org") -> tuple[int, str]:
    connection = http.client.HTTPConnection(node.address, 80, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def deploy(release) -> list:
    started = [api.scheduler().start(api.container_spec(release, "web", index)) for index in (1, 2)]
    route = api.Route(
        "blog",
        release.name,
        ("blog.example.org",),
        (api.Listener("http", 80, 5000),),
        tuple(p.backend for p in started),
    )
    api.router().apply(route)
    return started


def test_a_release_runs_on_two_nodes_and_every_node_leads_to_it(cluster, release):
    started = deploy(release)
    assert len({process.node for process in started}) == 2, "two processes, two nodes"
    for node in cluster.nodes:
        assert get(node) == (200, "hello from the nodes\n"), node.name
    assert get(cluster.nodes[0], "other.example.org")[0] == 404
    assert [process.name for process in api.scheduler().processes("blog")] == ["blog_v1.web.1", "blog_v1.web.2"]
    assert api.router().applied("blog") == "v1"
    for node in cluster.nodes:
        assert "hello" not in node.exec("cat", "/run/fleet/units/blog_v1.web.1.service", check=False)


def test_commands_reach_a_process_on_its_node(release):
    process = deploy(release)[0]
    assert api.scheduler().probe(process, ["/bin/busybox", "cat", "/www/index.html"], 20) == (
        0,
        "hello from the nodes\n",
    )
    assert api.scheduler().inspect(process)["Name"] == "/blog_v1.web.1"
    assert api.scheduler().diagnose(process).state == "running"


def test_no_request_fails_when_a_process_is_killed(cluster, release):
    process = deploy(release)[0]
    node = cluster.node(process.node)
    failed, cut, total, ended = [], [], [0], threading.Event()

    def load():
        while not ended.is_set():
            for router in cluster.nodes:
                total[0] += 1
                try:
                    if get(router)[0] != 200:
                        failed.append(router.name)
                except http.client.IncompleteRead:
                    cut.append(router.name)  # it was being answered just then
                except OSError as error:
                    failed.append(f"{router.name}: {error}")
            time.sleep(0.01)

    loader = threading.Thread(target=load)
    loader.start()
    try:
        node.exec("docker", "kill", process.name)
        until(
            "the process to be back",
            lambda: (
                api.scheduler().refresh(process).state == "running"
                and api.scheduler().refresh(process).started != process.started
            ),
            60,
        )
        time.sleep(1)
    finally:
        ended.set()
        loader.join(30)
    assert total[0] > 10 and not failed, f"{failed} of {total[0]}"
    assert len(cut) <= 1, "nothing but the one request that was being answered"


def test_a_node_that_dies_is_routed_around_and_its_process_comes_up_elsewhere(cluster, release):
    process = deploy(release)[0]
    node = cluster.node(process.node)
    others = [one for one in cluster.nodes if one is not node]
    cluster.kill(node.name)
    try:
        for _ in range(20):
            for router in others:
                assert get(router)[0] == 200
            time.sleep(0.2)
        until(
            "it to run elsewhere",
            lambda: (now := api.scheduler().refresh(process)).node != process.node and now.state == "running",
            90,
        )
        assert {get(router) for router in others} == {(200, "hello from the nodes\n")}
    finally:
        cluster.boot(node.name)
        until("all routers to be back", lambda: len(api.store().children("routers")) == 3, 120)


def test_sites_serve_without_agents_and_without_etcd(cluster, release):
    deploy(release)
    for node in cluster.nodes:
        node.exec("docker", "kill", AGENT)
    for node in cluster.nodes:
        assert get(node)[0] == 200
    until(
        "the agents to be back",
        lambda: all(AGENT in node.exec("docker", "ps", "--format", "{{.Names}}") for node in cluster.nodes),
        60,
    )
    for node in cluster.nodes[:2]:
        node.exec("systemctl", "kill", "-s", "STOP", "etcd.service")
    try:
        time.sleep(5)
        for node in cluster.nodes:
            assert get(node)[0] == 200
        with pytest.raises(api.errors.Unavailable, match="etcd"):
            api.documents.write(api.store(), "apps/blog/x.toml", {})
    finally:
        for node in cluster.nodes[:2]:
            node.exec("systemctl", "kill", "-s", "CONT", "etcd.service")
    until("etcd to be back", _writes, 60)


def _writes() -> bool:
    try:
        api.documents.write(api.store(), "cluster/probe.toml", {})
        api.store().delete("cluster/probe.toml")
    except api.errors.MinipaasError:
        return False
    return True
