"""The way from a head to a node's docker: real TLS over loopback, gevent on the one side and asyncio on the other."""

import contextlib
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from plugins.cluster.head import certificate_authority
from plugins.cluster.transport import docker_tls_client, protocol, tls

HOUSE = Path(__file__).parents[5]
SERVER = """
from gevent import monkey; monkey.patch_all()
import sys
from plugins.cluster.transport import docker_tls_server, tls as handshake
folder, port, docker = sys.argv[1:]
tls = handshake.server_context(folder + "/ca", folder + "/cert", folder + "/key")
docker_tls_server.serve("127.0.0.1", lambda: tls, docker, int(port)).serve_forever()
"""

SLOWLY = b"take your time"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return certificate_authority.make(str(tmp_path_factory.mktemp("certificates")))


@pytest.fixture
def docker(tmp_path):
    """Something in docker's place that answers whatever it is sent, once it has been sent all, and then ends."""
    path = str(tmp_path / "docker.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def attend(connection):
        with connection:
            data = b""
            while part := connection.recv(1 << 16):
                data += part
            if data == SLOWLY:
                time.sleep(1)
            with contextlib.suppress(OSError):  # nobody waits for it any more
                connection.sendall(data[::-1])

    def work():
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=attend, args=(connection,), daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    yield path
    listening.close()


@pytest.fixture
def port(tmp_path, keys, docker):
    with agent(free_port(), tmp_path, keys, docker) as port:
        yield port


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextlib.contextmanager
def agent(port, tmp_path, keys, docker):
    """An agent that leads to docker at that port; the port."""
    for name, text in keys["agent"].items():
        (tmp_path / name).write_text(text)
    environment = os.environ | {"PYTHONPATH": str(HOUSE)}
    words = [sys.executable, "-c", SERVER, str(tmp_path), str(port), docker]
    with subprocess.Popen(words, env=environment) as server:
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end and server.poll() is None
                time.sleep(0.05)
        yield port
        server.kill()


@pytest.fixture(autouse=True)
def root(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path_factory.mktemp("r")))


def asked(url: str, data: bytes) -> bytes:
    """What comes back for `data` by a tunnel's socket, when the end of it is told."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(30)
        one.connect(url.removeprefix("unix://"))

        def send():
            with contextlib.suppress(OSError):  # who is sent to may have gone; the answer tells
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        answer = b""
        while part := one.recv(1 << 16):
            answer += part
        sender.join(30)
        return answer


def test_all_that_is_said_arrives_and_the_end_of_it_too(port, keys, monkeypatch):
    monkeypatch.setattr(protocol, "AGENT_PORT", port)
    tunnels = docker_tls_client.Tunnels(tls.client_context(keys["head"]))
    url = tunnels.url("127.0.0.1")
    assert (
        url == tunnels.url("127.0.0.1") and os.stat(os.path.dirname(url.removeprefix("unix://"))).st_mode & 0o077 == 0
    )
    assert asked(url, b"hello") == b"olleh"
    large = os.urandom(3_000_000)
    assert asked(url, large) == large[::-1]
    assert asked(url, b"") == b""


def test_an_answer_comes_long_after_the_end_of_the_question(port, keys, monkeypatch):
    """As the output of a command comes that has read all its input. Meanwhile Python looks what is in use."""
    monkeypatch.setattr(protocol, "AGENT_PORT", port)
    url, answers = docker_tls_client.Tunnels(tls.client_context(keys["head"])).url("127.0.0.1"), []
    asking = threading.Thread(target=lambda: answers.append(asked(url, SLOWLY)))
    asking.start()
    while asking.is_alive():
        gc.collect()
        asking.join(0.05)
    assert answers == [SLOWLY[::-1]]


def test_nobody_comes_in_without_a_heads_certificate(port, keys, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(protocol, "AGENT_PORT", port)
    others = certificate_authority.make(str(tmp_path_factory.mktemp("others")))
    agent = keys["agent"]
    stranger = {"ca": agent["ca"], "cert": others["head"]["cert"], "key": others["head"]["key"]}
    for who in (agent, stranger):
        assert asked(docker_tls_client.Tunnels(tls.client_context(who)).url("127.0.0.1"), b"hello") == b""
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.settimeout(20)
        plain.sendall(b"GET /version HTTP/1.0\r\n\r\n")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(1000)
        assert b"HTTP" not in answer


def test_a_server_that_is_not_ours_is_not_spoken_to(port, keys, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(protocol, "AGENT_PORT", port)
    others = certificate_authority.make(str(tmp_path_factory.mktemp("others")))
    mistaken = keys["head"] | {"ca": others["head"]["ca"]}
    assert asked(docker_tls_client.Tunnels(tls.client_context(mistaken)).url("127.0.0.1"), b"secret") == b""


def test_a_node_that_is_away_ends_the_connection(keys, monkeypatch):
    monkeypatch.setattr(protocol, "AGENT_PORT", free_port())
    monkeypatch.setattr(docker_tls_client, "ABSENT", 0.5)
    assert asked(docker_tls_client.Tunnels(tls.client_context(keys["head"])).url("127.0.0.1"), b"") == b""


def test_an_agent_that_is_starting_again_is_waited_for(tmp_path, keys, docker, monkeypatch):
    port, answers = free_port(), []
    monkeypatch.setattr(protocol, "AGENT_PORT", port)
    monkeypatch.setattr(docker_tls_client, "ABSENT", 30)
    url = docker_tls_client.Tunnels(tls.client_context(keys["head"])).url("127.0.0.1")
    asking = threading.Thread(target=lambda: answers.append(asked(url, b"hello")))
    asking.start()
    time.sleep(0.3)
    with agent(port, tmp_path, keys, docker):
        asking.join(20)
    assert answers == [b"olleh"]


def test_the_authority_is_forgotten(tmp_path):
    made = certificate_authority.make(str(tmp_path))
    assert not os.path.exists(tmp_path / "ca-key.pem")
    assert made["agent"]["ca"] == made["head"]["ca"] and made["agent"]["key"] != made["head"]["key"]
