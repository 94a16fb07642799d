"""The double of fleetd against all that a real fleetd was recorded to answer, in the same order, to the byte."""

import http.client
import json
import socket
from pathlib import Path

import pytest

from tests.cluster.fake_systemd import FakeSystemd
from tests.cluster.fleet_double import daemon
from tests.cluster.fleet_double.etcd_keys import Lost, Memory
from tests.cluster.fleet_double.registry import PREFIX, Machine

CAPTURES = [json.loads(line) for line in (Path(__file__).parent / "captures/exchanges.jsonl").open()]
NODES = {
    "node1": ("b175173d1e095452a53cc9263dde5948", "172.30.99.11"),
    "node2": ("52628f8570f8749b8661328b43d4f4ee", "172.30.99.12"),
    "node3": ("11c9f81a9ac28596c453ab34160117d6", "172.30.99.13"),
}
SLEEP = [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep infinity"}]
# Before these exchanges fleet had been given time: engine and agents had made their passes.
SETTLED = {6, 11, 14, 17, 18, 21, 25, 31, 33, 59, 78, 92, 129}


class Member:
    """The etcd member of one node, which can be stopped while the others go on."""

    def __init__(self, memory):
        self.memory, self.stopped = memory, False

    def __getattr__(self, name):
        if self.stopped:
            raise Lost
        return getattr(self.memory, name)


class Rig:
    """Three doubles whose clocks stand still but for settle()."""

    def __init__(self, folder):
        self.now = 0.0
        self.memory = Memory(lambda: self.now)
        self.members = {name: Member(self.memory) for name in NODES}
        self.daemons, self.folder = {}, folder
        for name, (machine, address) in NODES.items():
            double = daemon.Daemon(self.members[name], FakeSystemd(), Machine(machine, address, {"node": name}))
            double.registry.register(double.machine)
            double.available = True
            self.daemons[name] = double
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(folder / name))
            listener.listen()
            daemon.serve(double, listener)

    def settle(self, passes=8):
        for _ in range(passes):
            self.now += 5.0
            for double in self.daemons.values():
                double.registry.beat(double.machine)
                double.agent.beat()
                double.agent.publish_all()
            for double in self.daemons.values():
                double.engine.reconcile()
            for double in self.daemons.values():
                double.agent.reconcile()
                double.agent.publish()

    def ask(self, method, path, body=None, headers=None, node="node1"):
        """(status, headers, body to the byte); status None when the connection was closed without an answer."""
        connection = http.client.HTTPConnection("fleet", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.folder / node))
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        if headers is None:
            headers = {} if data is None else {"Content-Type": "application/json"}
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        except http.client.RemoteDisconnected:
            return None, None, ""
        finally:
            connection.close()

    def put(self, name, state, *more):
        answer = self.ask("PUT", f"/fleet/v1/units/{name}", {"desiredState": state, "options": [*SLEEP, *more]})
        assert answer[0] == 201, answer

    def destroy_all(self):
        while units := json.loads(self.ask("GET", "/fleet/v1/units")[2]).get("units"):
            for unit in units:
                assert self.ask("DELETE", "/fleet/v1/units/" + unit["name"])[0] == 204
        self.settle(60)  # units that stop at once are unloaded one by one

    def between(self, number):
        """What the recorder did before an exchange, beside asking."""
        if number == 29:
            self.memory.set(f"{PREFIX}/job/web.service/target-state", "launched")
        if number in (124, 126):
            self.destroy_all()
            for count in range(130 if number == 124 else 100):
                self.put(f"p{count:03d}.service", "inactive")
        if number == 128:
            self.destroy_all()
        if number == 130:
            machine = json.loads(self.ask("GET", "/fleet/v1/units/t2@.service")[2])["machineID"]
            self.put("after.service", "launched", {"section": "X-Fleet", "name": "MachineID", "value": machine})
            self.settle()
        if number == 131:
            self.members["node3"].stopped = True
        if number == 134:
            self.daemons["node3"].available = False
        if number in SETTLED:
            self.settle()


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def test_every_recorded_exchange_is_answered_alike(rig):
    for capture in CAPTURES:
        rig.between(capture["number"])
        node = "node3" if capture["what"].startswith("etcd-down") else "node1"
        told = rig.ask(capture["method"], capture["path"], capture.get("body"), capture.get("request_headers"), node)
        what = f"{capture['number']}-{capture['what']}"
        assert (told[0], told[2]) == (capture["status"], capture.get("raw", "")), what
        if told[0] is not None:
            compared = {name: value for name, value in told[1].items() if name != "Server"}
            assert compared == {name: value for name, value in capture["headers"].items() if name != "Server"}, what
            assert ("Server" in told[1]) == ("Server" in capture["headers"]), what


def test_nothing_recorded_is_left_out():
    numbers = [capture["number"] for capture in CAPTURES]
    assert numbers == [number for number in range(1, 135) if number != 123]  # 123 is the API's description of itself
