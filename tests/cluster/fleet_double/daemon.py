"""The daemon: its clocks, its life with and without etcd, and its sockets."""

import contextlib
import logging
import os
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

from .agent import Agent
from .api import NO_ETCD, Answer, Api, Crashed, error
from .engine import Engine
from .etcd_keys import Etcd, Lost, Missing, Refused
from .registry import Machine, Registry
from .systemd import Systemd

AGENT_INTERVAL = 5.0  # seconds
STATE_INTERVAL = 1.0
SERVER = "fleetd/1.0.0+double"
CHUNKED_FROM = 2048  # bytes; longer answers go out in chunks
log = logging.getLogger("daemon")


class Daemon:
    def __init__(
        self, keys, systemd, machine: Machine, ttl: float = 30.0, interval: float = 2.0, limit: int = 100
    ) -> None:
        self.registry = Registry(keys, ttl)
        self.machine, self.ttl, self.interval = machine, ttl, interval
        self.agent = Agent(self.registry, systemd, machine.id)
        self.engine = Engine(self.registry, machine.id, interval)
        self.api = Api(self.registry, limit)
        self.available = False
        self.stopping = threading.Event()
        self._halt = threading.Event()

    def answer(self, method: str, target: str, types: list[str], body: bytes) -> Answer:
        """Raises Crashed."""
        return self.api.answer(method, target, types, body) if self.available else error(503, NO_ETCD)

    def run(self) -> None:
        """Until stop(): work while etcd answers, wait while it does not."""
        first = True
        while not self.stopping.is_set():
            self._join_cluster(first)
            first = False
            if not self.stopping.is_set():
                self._work()
        self._leave_cluster()

    def stop(self) -> None:
        self.stopping.set()
        self._halt.set()

    def _join_cluster(self, first: bool) -> None:
        """A machine whose former life ended without a word is let in when its key has."""
        pause = 1.0
        while not self.stopping.is_set():
            try:
                (self.registry.register if first else self.registry.beat)(self.machine)
                return
            except (Lost, Refused, Missing) as reason:
                log.info("cannot register: %r", reason)
            self.stopping.wait(pause)
            pause = min(pause * 2, 60.0)

    def _work(self) -> None:
        """All parts at once, until the heart stops."""
        self._halt.clear()
        if self.stopping.is_set():
            return
        events = [threading.Event(), threading.Event()]
        refresh = self.ttl * 4 / 5 if self.ttl > 10 else self.ttl / 2
        parts = [
            threading.Thread(target=self._each, args=(self.interval, self.engine.reconcile, events[0])),
            threading.Thread(target=self._each, args=(AGENT_INTERVAL, self.agent.reconcile, events[1])),
            threading.Thread(target=self._each, args=(refresh, self.agent.beat, None, False)),
            threading.Thread(target=self._each, args=(STATE_INTERVAL, self.agent.publish, None, False)),
            threading.Thread(target=self._each, args=(refresh, self.agent.publish_all, None, False)),
        ]
        threading.Thread(target=self._watch, args=(events, self._halt), daemon=True).start()
        self.available = True
        for part in parts:
            part.start()
        self._monitor()
        self.available = False
        self._halt.set()
        for event in events:
            event.set()
        for part in parts:
            part.join()

    def _monitor(self) -> None:
        """Beat at half the TTL; when four beats within a third of it fail, the heart has stopped."""
        while not self._halt.wait(self.ttl / 2):
            end = time.monotonic() + self.ttl / 3
            while not self._beat():
                if time.monotonic() >= end or self._halt.wait(self.ttl / 12):
                    return

    def _beat(self) -> bool:
        try:
            self.registry.beat(self.machine)
            return True
        except (Lost, Refused, Missing) as reason:
            log.info("no heartbeat: %r", reason)
            return False

    def _each(self, interval: float, call, event: threading.Event | None, at_once: bool = True) -> None:
        """Call every `interval` seconds, and after each event; an event begins the interval anew."""
        woken = event or self._halt
        if not at_once:
            woken.wait(interval)
        while not self._halt.is_set():
            if event:
                event.clear()
            try:
                call()
            except Exception:
                log.exception("%s", call)
            woken.wait(interval)

    def _watch(self, events: list[threading.Event], halt: threading.Event) -> None:
        """Wake engine and agent when a unit's schedule or target changes: a second later, for so long fleet rests."""
        while not halt.is_set():
            try:
                changed = self.registry.keys.watch("/_coreos.com/fleet/job")
            except (Lost, Missing, Refused):
                changed = ""
            halt.wait(1.0)
            if changed.rpartition("/")[2] in ("target", "target-state") and not halt.is_set():
                for event in events:
                    event.set()

    def _leave_cluster(self) -> None:
        """An orderly end: nothing of this node stays behind."""
        while self.agent.purge():
            time.sleep(1)
        self.agent.forget_states()
        self.engine.resign()
        with contextlib.suppress(Lost):
            self.registry.forget_machine(self.machine.id)


def serve(daemon: Daemon, listener: socket.socket) -> None:
    """Answer on a listening socket, in threads of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (Crashed, ConnectionError):
                self.close_connection = True

        def parse_request(self) -> bool:
            # Every method is answered by the API itself.
            parsed = super().parse_request()
            if parsed:
                setattr(self, "do_" + self.command, self._reply)
            return parsed

        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            said = daemon.answer(self.command, self.path, self.headers.get_all("Content-Type") or [], body)
            self._send(said)

        def _send(self, said: Answer) -> None:
            self.send_response_only(said.status)
            if daemon.available:
                self.send_header("Server", SERVER)
            data = (said.body or "").encode("utf-8", "surrogateescape")
            if said.json:
                self.send_header("Content-Type", "application/json")
            if said.status != 204:
                chunked = len(data) > CHUNKED_FROM
                self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(data)))))
                if chunked:
                    data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
            if self.close_connection:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    def accept() -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(connection, address), daemon=True).start()

    def handle(connection: socket.socket, address: object) -> None:
        with connection, contextlib.suppress(OSError):
            Handler(connection, address or ("", 0), None)

    threading.Thread(target=accept, daemon=True).start()


def from_environment() -> Daemon:
    """The daemon that fleetd's own settings (FLEET_*) describe."""
    setting = os.environ.get
    servers = [
        part.strip(' "') for part in setting("FLEET_ETCD_SERVERS", "http://127.0.0.1:2379").strip("[]").split(",")
    ]
    pairs = [pair.split("=", 1) for pair in setting("FLEET_METADATA", "").split(",") if "=" in pair]
    with open("/etc/machine-id", encoding="ascii") as file:
        machine = Machine(file.read().strip(), setting("FLEET_PUBLIC_IP", ""), {k.strip(): v.strip() for k, v in pairs})
    keys = Etcd(servers, float(setting("FLEET_ETCD_REQUEST_TIMEOUT", "1")))
    ttl = _seconds(setting("FLEET_AGENT_TTL", "30s"))
    interval = float(setting("FLEET_ENGINE_RECONCILE_INTERVAL", "2"))
    return Daemon(keys, Systemd(), machine, ttl, interval, int(setting("FLEET_TOKEN_LIMIT", "100")))


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = next(unit for unit in units if text.endswith(unit) and text.removesuffix(unit).replace(".", "").isdigit())
    return float(text.removesuffix(unit)) * units[unit]
