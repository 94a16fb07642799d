import json
import socket
import threading

import pytest

from minipaas_lib import api
from minipaas_lib.store.directory import DirectoryStore
from plugins.cluster import names
from plugins.cluster.fleet import nodes, scheduler, state_poller
from tests.unit.plugins.cluster.fleet.fakes import Elsewhere, Fleet, Tunnels


class Daemon:
    """Answers at a unix socket what a test tells it to: `answers` are (status, body), raw bytes, or None to hang up."""

    def __init__(self, path, answers=()):
        self.path, self.answers, self.requests = str(path), list(answers), []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def endpoint(self):
        return "unix://" + self.path

    def _serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection):
        reader = connection.makefile("rb")
        method, path, _ = reader.readline().decode().split()
        headers = {}
        while line := reader.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", 0)))
        self.requests.append((method, path, json.loads(body) if body else None, headers))
        answer = self.answers.pop(0) if self.answers else (200, {})
        if isinstance(answer, tuple):
            status, body = answer
            data = b"" if body is None else json.dumps(body).encode()
            answer = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
        if answer is not None:
            connection.sendall(answer)

    def close(self):
        self.socket.close()


@pytest.fixture
def daemon(tmp_path):
    """Make a daemon that gives these answers, in order, then 200 and `{}`."""
    made = []

    def make(*answers):
        made.append(Daemon(tmp_path / f"fleet{len(made)}.sock", answers))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def world(tmp_path, monkeypatch):
    store = DirectoryStore(str(tmp_path / "state"), str(tmp_path / "locks"))
    api.kernel.documents.write(store, names.IMAGE, {"name": "minipaas-node:1"})
    fleet, local = Fleet(store), Elsewhere()
    monkeypatch.setattr(nodes, "tags", lambda app: {})
    monkeypatch.setattr(state_poller, "INTERVAL", 0.02)
    monkeypatch.setattr(scheduler, "PLACED", 0.3)
    monkeypatch.setattr(scheduler, "STARTED", 0.3)
    monkeypatch.setattr(scheduler, "SETTLED", 0.0)
    made = scheduler.FleetScheduler(local, fleet, store, nodes.Nodes(local, fleet, Tunnels))
    made._poller = state_poller.Poller(fleet.states, 0.02)
    made.fleet, made.store = fleet, store
    return made
