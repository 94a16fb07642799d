"""A host with a live app joins three nodes and comes back, as a user does it; requests to it go on all the while.

The host is this machine, with minipaas as it was installed; the tests of this file are one story, in their order.
"""

import http.client
import io
import json
import os
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest

from tests.cluster import node_image, nodes

MINIPAAS = "/usr/local/bin/minipaas"
APP, DOMAIN = "cluster-story", "cluster-story.example.org"
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/
EXPOSE 5000
CMD ["/bin/busybox", "httpd", "-f", "-p", "5000", "-h", "/www"]
"""


def run(*words: str, ok: bool = True, data: bytes = b"", timeout: float = 400) -> subprocess.CompletedProcess:
    """A command as root types it on the host."""
    done = subprocess.run([MINIPAAS, *words], capture_output=True, input=data, timeout=timeout)
    done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if ok:
        assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def archive() -> bytes:
    """The files of the app, as a tar."""
    files = {"Dockerfile": DOCKERFILE.encode(), "index.html": b"hello\n", "busybox": Path("/bin/busybox").read_bytes()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def killed_at(line: str, *words: str) -> None:
    """Give a command and kill it as soon as it prints that line."""
    with subprocess.Popen(
        [MINIPAAS, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL
    ) as child:
        said = []
        for printed in child.stdout:
            said.append(printed)
            if line in printed:
                child.kill()
                return
    raise AssertionError(f"it never came to {line!r}:\n{''.join(said)}")


def status() -> dict:
    return json.loads(run("cluster:status", "--format", "json").stdout)


def answer(address: str) -> int:
    """The status of one request for the app, on a connection of its own; 0 for none."""
    connection = http.client.HTTPConnection(address, 80, timeout=20)
    try:
        connection.request("GET", "/", headers={"Host": DOMAIN})
        found = connection.getresponse()
        return found.status if found.read() == b"hello\n" else 0
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def spread(cluster) -> list[int]:
    """How many containers of the app run on each node."""
    words = ("docker", "ps", "-q", "--filter", f"label=minipaas.app={APP}")
    return [len(node.exec(*words).split()) for node in cluster.nodes]


def settled(cluster, wanted: list[int], limit: float = 60) -> None:
    """Wait until the app is spread so: old processes take a moment to go."""
    end = time.monotonic() + limit
    while (found := spread(cluster)) != wanted:
        assert time.monotonic() < end, found
        time.sleep(0.5)


class Load:
    """Requests to this host, one after the other, until it is ended."""

    def __init__(self) -> None:
        self.total, self.failed, self._ended = 0, [], threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._go)
        self._thread.start()

    def _go(self) -> None:
        while not self._ended.wait(0.02):
            self.total += 1
            if (code := answer("127.0.0.1")) != 200:
                self.failed.append((round(time.monotonic() - self._began, 1), code))

    def end(self) -> None:
        self._ended.set()
        self._thread.join(60)


@pytest.fixture(scope="module")
def load():
    """Requests to a live app on this host, which belongs to no cluster before and after."""
    if os.environ.get("MINIPAAS_COMMANDS_USED"):  # all that is here was made by the tests before
        for name in run("apps:list").stdout.split():
            run("apps:destroy", name, "--force", "--now")
    run("apps:destroy", APP, "--force", "--now", ok=False)
    run("apps:create", APP)
    run("domains:set", APP, DOMAIN)
    run("ports:set", APP, "http:80:5000")
    run("checks:set", APP, "wait-to-retire", "1")
    run("git:from-archive", APP, "-", data=archive())
    assert answer("127.0.0.1") == 200
    made = Load()
    yield made
    made.end()
    run("cluster:leave", ok=False)
    run("apps:destroy", APP, "--force", "--now", ok=False)
    if images := nodes.docker("images", "-q", "minipaas-node").split():
        nodes.docker("rmi", "-f", *images, check=False)


@pytest.fixture(scope="module")
def init(cluster, daemon):
    """The words that join the cluster."""
    return ["cluster:init", "--etcd", cluster.etcd, "--fleet", cluster.fleet, "--base", node_image.base()]


def test_the_host_joins_and_goes_on_where_it_was_killed(load, init, cluster):
    refused = run("cluster:init", "--check", "--etcd", cluster.nodes[0].etcd.replace("2379", "2999"), ok=False)
    assert refused.returncode == 1 and "0 of 1 members serve" in refused.stderr
    killed_at("is up", *init)
    run(*init)
    found = status()
    assert found["wrong"] == [] and found["moving"] == ""
    assert [node["name"] for node in found["nodes"]] == ["node1", "node2", "node3"]
    assert sum(spread(cluster)) == 1 and len(found["heads"]) == 1
    assert nodes.docker("ps", "-q", "--filter", f"label=minipaas.app={APP}") == "", "nothing is left on this host"


def test_processes_are_spread_and_every_node_answers(load, cluster):
    run("ps:scale", APP, "web=3")
    found = spread(cluster)
    assert sum(found) == 3 and max(found) < 3, found
    assert [answer(node.address) for node in cluster.nodes] == [200, 200, 200]


def test_tags_place_an_app_and_name_the_nodes_where_none_fits(load, cluster):
    refused = run("tags:set", APP, "disk=ssd", ok=False)
    assert refused.returncode == 2 and "there are: node1: node=node1" in refused.stderr
    run("tags:set", APP, "node=node2")
    settled(cluster, [0, 3, 0])


def test_a_node_is_drained(load, cluster):
    run("tags:unset", APP, "node")
    run("cluster:drain", "node2")
    found = status()
    assert [node["drained"] for node in found["nodes"]] == [False, True, False]
    assert found["nodes"][1]["processes"] == 0 and spread(cluster)[1] == 0
    assert answer(cluster.nodes[1].address) == 200, "its router goes on"
    run("cluster:undrain", "node2")
    assert not any(node["drained"] for node in status()["nodes"])


def test_the_host_comes_back_and_no_request_failed(load, cluster):
    killed_at("is up", "cluster:leave")
    run("cluster:leave")
    assert status() == {"cluster": False, "wrong": []}
    names = nodes.docker("ps", "--format", "{{.Names}}", "--filter", f"label=minipaas.app={APP}").split()
    assert len(names) == 3 and answer("127.0.0.1") == 200
    for node in cluster.nodes:
        assert APP not in node.exec("docker", "ps", "-a", "--format", "{{.Names}}")
    load.end()
    assert load.total > 500 and not load.failed, f"{len(load.failed)} of {load.total} failed: {load.failed[:10]}"
