"""The image on its way to the nodes: over real HTTP here, by a line that a node's sh runs."""

import hashlib
import subprocess
import threading
import urllib.error
import urllib.request

import pytest

from minipaas_lib import errors
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import node_image_delivery

ONE, TWO = Machine("1" * 32, "10.0.0.1", {"node": "node1"}), Machine("2" * 32, "10.0.0.2", {"node": "node2"})


class Machines:
    """Machines that say `outcomes` of what they were to run, one after the other, the last for ever."""

    def __init__(self, *outcomes):
        self.outcomes_to_come, self.lines, self.removed = list(outcomes), [], []

    def members(self):
        return [ONE, TWO]

    def once(self, name, line):
        self.lines.append(line)

    def outcomes(self, name):
        return self.outcomes_to_come.pop(0) if len(self.outcomes_to_come) > 1 else self.outcomes_to_come[0]

    def remove(self, name):
        self.removed.append(name)


@pytest.fixture
def saved(world, monkeypatch):
    """A docker that saves "the image"."""

    def docker(*words, timeout=0):
        with open(words[words.index("--output") + 1], "wb") as file:
            file.write(b"the image")

    monkeypatch.setattr(node_image_delivery, "docker", docker)
    monkeypatch.setattr(node_image_delivery.time, "sleep", lambda _: None)


def test_the_image_is_offered_until_every_node_has_it(saved, monkeypatch):
    got = []

    class Curious(Machines):
        def once(self, name, line):
            super().once(name, line)
            url = next(word for word in line.split() if word.startswith("http://"))
            got.append(urllib.request.urlopen(url, timeout=5).read())
            with pytest.raises(urllib.error.HTTPError):
                urllib.request.urlopen(url[:-1], timeout=5)

    machines = Curious({ONE.id: "starting"}, {ONE.id: "done"}, {ONE.id: "done", TWO.id: "done"})
    node_image_delivery.bring(machines, "minipaas-node:1", "127.0.0.1")
    assert got == [b"the image"] and machines.removed == [node_image_delivery.UNIT]
    assert hashlib.sha256(b"the image").hexdigest() in machines.lines[0]
    assert not [thread for thread in threading.enumerate() if "serve_forever" in thread.name]


def test_a_node_that_cannot_is_named(saved):
    machines = Machines({ONE.id: "done", TWO.id: "failed"})
    with pytest.raises(errors.Unavailable, match="node2 could not load the image"):
        node_image_delivery.bring(machines, "minipaas-node:1", "127.0.0.1")
    assert machines.removed == [node_image_delivery.UNIT]


def test_a_node_that_is_late_is_named(saved, monkeypatch):
    monkeypatch.setattr(node_image_delivery, "LOAD_TIMEOUT", 0)
    with pytest.raises(errors.Unavailable, match="node2 did not load the image"):
        node_image_delivery.bring(Machines({ONE.id: "done"}), "minipaas-node:1", "127.0.0.1")


def test_an_address_that_is_not_ours(saved):
    with pytest.raises(errors.UsageError, match="192.0.2.1. is not an address of this host"):
        node_image_delivery.bring(Machines({}), "minipaas-node:1", "192.0.2.1")


@pytest.mark.parametrize(("content", "loaded"), [(b"good", True), (b"evil", False)])
def test_a_node_loads_only_what_was_meant(tmp_path, monkeypatch, content, loaded):
    """The line itself, run by sh with a docker that notes what it is asked."""
    docker, log, archive = tmp_path / "docker", tmp_path / "log", tmp_path / "image.tar"
    docker.write_text(f'#!/bin/sh\necho "$*" >>{log}\n[ "$1" != image ]\n')
    docker.chmod(0o755)
    archive.write_bytes(content)
    monkeypatch.setattr(node_image_delivery, "DOCKER", str(docker))
    monkeypatch.setattr(node_image_delivery, "UNIT", tmp_path.name)
    server = node_image_delivery._serve(str(archive), "/token", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_address[1]}/token"
    try:
        line = node_image_delivery.line("minipaas-node:1", url, hashlib.sha256(b"good").hexdigest())
        done = subprocess.run(["sh", "-c", line.replace("/var/tmp", str(tmp_path))], capture_output=True, timeout=60)
    finally:
        server.shutdown()
        server.server_close()
    assert (done.returncode == 0) is loaded and ("load -q -i" in log.read_text()) is loaded
    assert ("tag minipaas-node:1 minipaas-node:current" in log.read_text()) is loaded
    assert not list(tmp_path.glob("*-*.tar")), "nothing is left"


def test_what_would_mean_something_to_a_shell_is_refused():
    with pytest.raises(errors.UsageError):
        node_image_delivery.line("minipaas-node:1; rm", "http://10.0.0.1:1/x", "0" * 64)


def test_the_address_by_which_nodes_are_reached():
    assert node_image_delivery.own_address(("http://127.0.0.1:2379",)) == "127.0.0.1"
    with pytest.raises(errors.UsageError, match="cannot be reached"):
        node_image_delivery.own_address(("http://nowhere.invalid:2379",))


def test_a_checkout_has_no_program_for_nodes(world):
    from minipaas_lib import cluster_settings

    with pytest.raises(errors.Unavailable, match="this is a checkout"):
        node_image_delivery.make(
            cluster_settings.ClusterSettings(("http://a:2379",)), "debian", "unix:///run/fleet.sock"
        )
