"""A new authority for a cluster at work: real agents' doors, real handshakes, and a kill after every write."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minipaas_lib import api, errors
from plugins.cluster.fleet.client import Machine
from plugins.cluster.head import certificate_authority, certificate_renewal, head_registry, status
from plugins.cluster.transport import protocol
from plugins.cluster.transport import tls as cluster_tls

HOUSE = Path(__file__).parents[5]
AGENT = """
from gevent import monkey; monkey.patch_all()
import os, sys
folder, address, port, docker, fresh = sys.argv[1:]
from minipaas_lib import api
from plugins.cluster.transport import docker_tls_server, git_server, identity
store = api.kernel.open_directory()
identity.LOOK = float(fresh)
api.paths.cache = lambda *parts: os.path.join(folder, *parts)
known = identity.Identity(lambda: api.kernel.documents.read(store, identity.KEYS), identity.files_of)
if docker:
    server = docker_tls_server.serve(address, known.context, docker, int(port))
else:
    server = git_server.serve(address, known.context, int(port))
server.start()
print("ready", flush=True)
server.serve_forever()
"""
NEVER = 1e9  # seconds: an agent of before, which takes up nothing while it runs


class Nodes:
    """Nodes at 127.0.0.x, each with an agent that leads to docker, all at one port."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder, self.root, self.running = folder, root, {}
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.docker = str(folder / "docker.sock")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self.docker)
        self._listening.listen()
        threading.Thread(target=self._end_requests, daemon=True).start()

    def _end_requests(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._listening.accept()[0].close()

    def start(self, number: int, fresh: float = 0.05, port: int = 0, docker: str | None = None) -> None:
        place = self.folder / f"agent{number}"
        place.mkdir(exist_ok=True)
        script = self.folder / "agent.py"
        script.write_text(AGENT)
        words = [
            str(place),
            f"127.0.0.{number}",
            str(port or self.port),
            self.docker if docker is None else docker,
            str(fresh),
        ]
        environment = os.environ | {
            "MINIPAAS_ROOT": self.root,
            "PYTHONPATH": str(HOUSE),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        child = subprocess.Popen([sys.executable, str(script), *words], env=environment, stdout=subprocess.PIPE)
        assert child.stdout.readline() == b"ready\n"
        self.running[number] = child

    def stop(self, number: int) -> None:
        child = self.running.pop(number)
        child.kill()
        child.wait()
        child.stdout.close()

    def members(self) -> list[Machine]:
        return [Machine(str(number) * 32, f"127.0.0.{number}", {"node": f"node{number}"}) for number in (2, 3)]

    def let_in(self, keys: dict) -> list[bool | None]:
        tls = cluster_tls.client_context(keys)
        return [certificate_renewal.comes_in(machine.address, self.port, tls) for machine in self.members()]


def former(folder: Path) -> dict[str, dict[str, str]]:
    """Certificates as minipaas made them before: no keyUsage, no key identifiers, every authority of one name."""
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "plain.cnf").write_text(
        "[req]\ndistinguished_name = name\n[name]\n[authority]\nbasicConstraints = CA:TRUE\n"
    )

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    plain = ["-config", "plain.cnf"]
    openssl(
        "req",
        "-x509",
        *plain,
        "-extensions",
        "authority",
        *curve,
        "-subj",
        "/CN=minipaas",
        "-keyout",
        "ca.key",
        "-out",
        "ca",
    )
    made = {}
    for part, use in (("agent", "serverAuth"), ("head", "clientAuth")):
        (folder / "ext").write_text(
            f"subjectAltName=DNS:minipaas-{part}\nextendedKeyUsage={use}\nbasicConstraints=CA:FALSE\n"
        )
        openssl("req", "-new", *plain, *curve, "-subj", f"/CN=minipaas-{part}", "-keyout", f"{part}.key", "-out", "csr")
        openssl(
            "x509",
            "-req",
            "-in",
            "csr",
            "-CA",
            "ca",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "ext",
            "-out",
            part,
        )
        made[part] = {
            "ca": (folder / "ca").read_text(),
            "cert": (folder / part).read_text(),
            "key": (folder / f"{part}.key").read_text(),
        }
    return made


@pytest.fixture
def old(world, tmp_path):
    keys = former(tmp_path)
    for part, texts in keys.items():
        api.kernel.documents.write(api.kernel.store(), f"cluster/{part}.toml", texts)
    return keys


@pytest.fixture
def nodes(world, old, tmp_path, monkeypatch):
    made = Nodes(tmp_path, world.root)
    monkeypatch.setattr(protocol, "AGENT_PORT", made.port)
    monkeypatch.setattr(certificate_renewal, "AGAIN", 0.02)
    yield made
    for number in list(made.running):
        made.stop(number)


def now(part: str = "head") -> dict:
    return dict(api.kernel.documents.read(api.kernel.store(), f"cluster/{part}.toml"))


@contextlib.contextmanager
def visitors(nodes):
    """Heads that come in all the while, each with what the store has then; the answers of the nodes."""
    answers, ending = [], threading.Event()

    def visit() -> None:
        store = api.kernel.open_directory()
        while not ending.is_set():
            answers.extend(nodes.let_in(dict(api.kernel.documents.read(store, "cluster/head.toml"))))

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield answers
    finally:
        ending.set()
        thread.join()


def test_every_node_is_reached_all_the_while_and_the_old_authority_counts_no_more(nodes, old):
    for number in (2, 3):
        nodes.start(number)
    with visitors(nodes) as answers:
        certificate_renewal.renew(api.kernel.store(), nodes)
    assert len(answers) > 10 and set(answers) == {True}
    assert nodes.let_in(now()) == [True, True]
    assert nodes.let_in(old["head"] | {"ca": now()["ca"]}) == [False, False]
    assert now()["ca"] == now("agent")["ca"] and now()["ca"].count("BEGIN CERTIFICATE") == 1
    assert old["head"]["ca"].strip() not in now()["ca"] and certificate_renewal.begun(api.kernel.store()) == {}
    assert certificate_authority.fault(old["head"]["ca"]) and not certificate_authority.fault(now()["ca"])


class Killed(BaseException):
    """What a kill does: nothing after it runs."""


def test_killed_after_any_write_it_is_taken_up_again(nodes, old, monkeypatch, tmp_path_factory):
    for number in (2, 3):
        nodes.start(number)
    write, left = api.kernel.documents.write, [0]
    new = certificate_authority.make(str(tmp_path_factory.mktemp("new")))
    monkeypatch.setattr(certificate_authority, "make", lambda folder: new)  # openssl takes its time

    def count(*words):
        write(*words)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    kills = 0
    while True:
        for part, texts in old.items():  # back to where it began
            write(api.kernel.store(), f"cluster/{part}.toml", texts)
        while nodes.let_in(old["head"]) != [True, True]:
            time.sleep(0.02)
        left[0] = kills + 1
        with monkeypatch.context() as patch:
            patch.setattr(api.kernel.documents, "write", count)
            try:
                certificate_renewal.renew(api.kernel.store(), nodes)
            except Killed:
                kills += 1
            else:
                break
        deadline = time.monotonic() + 5
        while nodes.let_in(now()) != [True, True]:  # as agents see it a moment later
            assert time.monotonic() < deadline, f"after write {kills}"
        assert "to continue: cluster:renew-certificates" in status._certificates()[0]
        certificate_renewal.renew(api.kernel.store(), nodes)
        assert nodes.let_in(now()) == [True, True] and certificate_renewal.begun(api.kernel.store()) == {}
    assert kills >= 9


def test_an_agent_of_before_holds_it_up_and_nothing_is_lost(nodes, old, monkeypatch):
    monkeypatch.setattr(certificate_renewal, "LIMIT", 0.3)
    nodes.start(2)
    nodes.start(3, fresh=NEVER)
    with pytest.raises(errors.Unavailable, match="node3 did not switch to the new certificates") as caught:
        certificate_renewal.renew(api.kernel.store(), nodes)
    assert "cluster:init" in caught.value.hint
    assert nodes.let_in(now()) == [True, True] and certificate_renewal.begun(api.kernel.store())["step"] == "trust"
    nodes.stop(3)
    with pytest.raises(errors.Unavailable, match="node3 does not answer"):
        certificate_renewal.renew(api.kernel.store(), nodes)
    nodes.start(3)  # as cluster:init does it
    monkeypatch.setattr(certificate_renewal, "LIMIT", 20.0)
    certificate_renewal.renew(api.kernel.store(), nodes)
    assert nodes.let_in(now()) == [True, True] and nodes.let_in(old["head"] | {"ca": now()["ca"]}) == [False, False]


def test_heads_that_live_are_asked_too(nodes, monkeypatch):
    store = api.kernel.store()
    api.kernel.documents.write(store, head_registry.path("one"), {"address": "127.0.0.4"})
    api.kernel.documents.write(store, head_registry.path("gone"), {"address": "127.0.0.5"})
    store.write("routers/head-one", "{}", ttl=60)
    assert certificate_renewal.peers(store, nodes)[2:] == [("one", "127.0.0.4", protocol.HEAD_PORT)]
    with socket.create_server(("127.0.0.4", 0)) as found:
        port = found.getsockname()[1]
    monkeypatch.setattr(protocol, "HEAD_PORT", port)
    for number in (2, 3):
        nodes.start(number)
    nodes.start(4, port=port, docker="")
    certificate_renewal.renew(store, nodes)
    assert certificate_renewal.comes_in("127.0.0.4", port, cluster_tls.client_context(now())) is True


def test_two_do_not_renew_at_a_time(nodes):
    with api.kernel.store().lock(certificate_renewal.LOCK, api.kernel.holder()), pytest.raises(errors.Locked):
        certificate_renewal.renew(api.kernel.store(), nodes)
    assert certificate_renewal.begun(api.kernel.store()) == {}


def test_a_certificate_that_is_damaged_changes_nothing(nodes, old):
    for number in (2, 3):
        nodes.start(number)
    api.kernel.documents.write(
        api.kernel.store(), "cluster/agent.toml", old["agent"] | {"cert": "-----BEGIN CERTIFICATE-----\nx"}
    )
    for _ in range(3):
        assert nodes.let_in(old["head"]) == [True, True]
        time.sleep(0.06)  # one look later


def test_it_is_for_hosts_of_a_cluster(world):
    assert "does not belong to a cluster" in world.refused("cluster:renew-certificates")
