"""Units of processes on real nodes: fleet, systemd and docker do with them what the plan says."""

import io
import re
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from minipaas_lib.model.process import ContainerSpec
from plugins.cluster.fleet import units
from plugins.cluster.fleet.client import INACTIVE, Fleet
from tests.cluster import nodes
from tests.cluster.test_fleet_api import LIMIT, clear, until

MAKER = "mpc-test/maker:1"  # in the place of the minipaas image: makes the container, and counts how often it was asked
NAME = "blog_v3.web.1"
UNIT = NAME + ".service"
MAKE = f"""#!/bin/sh
[ "$1" = node:create ] || exit 2
docker create --name "$2" --stop-timeout 5 --entrypoint /bin/busybox {MAKER} sh -c '
    trap "exit 0" TERM
    echo started; while :; do sleep 1; done'
"""


@pytest.fixture(scope="session")
def maker(cluster):
    """An image with busybox and docker's own client, on every node."""
    files = {"/bin/busybox": Path("/bin/busybox").read_bytes(), "/make": MAKE.encode()}
    listed = subprocess.run(["ldd", nodes.DOCKER], capture_output=True, text=True, check=True).stdout
    for path in [nodes.DOCKER, *re.findall(r"(/\S+) \(0x", listed)]:
        files[path] = Path(path).read_bytes()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo("bin/sh")
        link.type, link.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(link)
        sleep = tarfile.TarInfo("bin/sleep")
        sleep.type, sleep.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(sleep)
    change = ["--change", 'ENTRYPOINT ["/make"]', "--change", "ENV PATH=/usr/bin:/bin"]
    nodes.docker("import", *change, "-", MAKER, data=buffer.getvalue())
    cluster.load(MAKER)
    yield MAKER
    nodes.docker("rmi", MAKER, check=False)


@pytest.fixture
def fleet(cluster, daemon, maker):
    asked = Fleet(cluster.fleet)
    clear(asked, cluster)
    yield asked
    clear(asked, cluster)
    for node in cluster.nodes:
        node.exec("sh", "-c", "docker ps -aq | xargs -r docker rm -f")


def submit(fleet, index=1, tags=None):
    name = f"blog_v3.web.{index}"
    spec = ContainerSpec(name, "blog", 3, "web", index, image="x", stop_timeout=5, environment={"SECRET": "s3cret"})
    fleet.submit(units.unit_name(name), units.process_unit(spec, MAKER, tags, len(fleet.machines())))


def running(cluster, fleet, name=NAME):
    """The node on which the container of a process runs."""

    def found():
        for node in cluster.nodes:
            if node.exec("docker", "ps", "-q", "--filter", f"name=^{name}$"):
                return node
        return None

    return until(f"{name} to run", found)


def started(node, name=NAME):
    return node.exec("docker", "inspect", "--format", "{{.State.StartedAt}} {{.State.Running}}", name)


def test_a_process_is_made_started_and_stopped(cluster, fleet):
    submit(fleet)
    node = running(cluster, fleet)
    assert "s3cret" not in node.exec("cat", f"/run/fleet/units/{UNIT}")
    until("the app's line in docker's log", lambda: "started" in node.exec("docker", "logs", NAME))
    assert "started" not in node.exec("journalctl", "-u", UNIT, "-o", "cat")
    fleet.submit(UNIT, list(fleet.unit(UNIT).options), INACTIVE)
    until("it to stop", lambda: "false" in started(node))
    until("systemd to have done with it", lambda: not node.exec("ls", "/run/fleet/units"))
    assert node.exec("systemctl", "list-units", "--failed", "--no-legend", UNIT) == ""
    assert node.exec("docker", "ps", "-aq", "--filter", f"name=^{NAME}$")  # with its log, until the agent removes it


def test_a_process_that_is_killed_comes_back_in_the_same_container_without_the_maker(cluster, fleet):
    submit(fleet)
    node = running(cluster, fleet)
    container, before = node.exec("docker", "inspect", "--format", "{{.Id}}", NAME), started(node)
    node.exec("docker", "tag", MAKER, "kept:1")
    node.exec("docker", "rmi", MAKER)
    try:
        node.exec("docker", "kill", NAME)
        until("it to come back", lambda: (now := started(node)) != before and "true" in now)
        assert node.exec("docker", "inspect", "--format", "{{.Id}}", NAME) == container
    finally:
        node.exec("docker", "tag", "kept:1", MAKER)


def test_processes_come_back_after_a_restart_of_docker(cluster, fleet):
    submit(fleet)
    node = running(cluster, fleet)
    before = started(node)
    node.exec("systemctl", "restart", "docker", timeout=90)
    until("it to come back", lambda: (now := started(node)) != before and "true" in now)
    assert fleet.unit(UNIT).machine == node.machine


def test_a_container_that_was_removed_is_made_again(cluster, fleet):
    submit(fleet)
    node = running(cluster, fleet)
    before = node.exec("docker", "inspect", "--format", "{{.Id}}", NAME)
    node.exec("docker", "rm", "-f", NAME)
    until(
        "another container",
        lambda: node.exec("docker", "inspect", "--format", "{{.Id}}", NAME, check=False) not in ("", before),
    )


def test_on_three_nodes_two_and_two_processes_keep_apart(cluster, fleet):
    submit(fleet, 1)
    submit(fleet, 2)
    first, second = running(cluster, fleet, "blog_v3.web.1"), running(cluster, fleet, "blog_v3.web.2")
    assert first is not second
    submit(fleet, 3, tags={"node": first.name})
    assert running(cluster, fleet, "blog_v3.web.3") is first, "with the first two it need not keep apart"
    submit(fleet, 4, tags={"node": first.name})
    time.sleep(6)
    assert fleet.unit("blog_v3.web.4.service").machine == ""
    fleet.destroy("blog_v3.web.3.service")
    assert running(cluster, fleet, "blog_v3.web.4") is first


def test_tags_place_a_process(cluster, fleet):
    submit(fleet, tags={"node": "node2"})
    assert running(cluster, fleet).name == "node2"


def test_a_process_of_a_lost_node_is_made_elsewhere(cluster, fleet):
    submit(fleet)
    node = running(cluster, fleet)
    cluster.kill(node.name)
    try:
        others = [other for other in cluster.nodes if other is not node]
        end = time.monotonic() + LIMIT
        while not any(other.exec("docker", "ps", "-q", "--filter", f"name=^{NAME}$") for other in others):
            assert time.monotonic() < end
            time.sleep(0.5)
    finally:
        cluster.boot(node.name)
