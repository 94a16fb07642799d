"""A real etcd cluster on loopback: free ports, data in a scratch folder, members to stop, pause and kill.

`etcd` comes from Debian's etcd-server (or ETCD names another), and serves the v2 API because it is told to.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

READY = 60.0  # seconds in which members must have found each other
ENDED = 10.0  # seconds in which one must have ended


def program() -> str:
    """The etcd to run. Raises RuntimeError where there is none: a test that needs it fails."""
    found = os.environ.get("ETCD") or shutil.which("etcd")
    if not found:
        raise RuntimeError("there is no etcd here: apt-get install etcd-server, or set ETCD to the program")
    return found


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Member:
    """One etcd process; `url` is where clients reach it."""

    def __init__(self, name: str, folder: Path, client: int, peer: int, tls: dict[str, str] | None = None) -> None:
        self.name, self.folder, self.tls = name, folder, tls or {}
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{client}"
        self.peer = f"http://127.0.0.1:{peer}"
        self.process: subprocess.Popen | None = None
        self.arguments: list[str] = []

    def start(self) -> None:
        """Start it, or start it again with the data it had."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder / "log", "ab")
        with log:
            self.process = subprocess.Popen(
                [program(), *self.arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "ETCD_UNSUPPORTED_ARCH": os.uname().machine},
            )

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait until it is gone."""
        if self.process is None:
            return
        for each in (number, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(each)
                if each != signal.SIGKILL:
                    self.process.send_signal(signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(ENDED)
                break
        self.process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """It answers nothing, though the kernel takes connections to it."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def get(self, path: str, timeout: float = 2.0):
        """The JSON of one of its pages, without our own client. Raises OSError."""
        import ssl

        context = ssl.create_default_context(cafile=self.tls["ca"]) if self.tls else None
        if context and "cert" in self.tls:
            context.load_cert_chain(self.tls["cert"], self.tls["key"])
        with urllib.request.urlopen(self.url + path, timeout=timeout, context=context) as response:
            return json.load(response)

    def leads(self) -> bool:
        try:
            return self.get("/v2/stats/self")["state"] == "StateLeader"
        except (OSError, ValueError):
            return False

    def serves(self) -> bool:
        """Whether it answers a question that needs a quorum."""
        try:
            self.get("/v2/keys/?quorum=true")
        except (OSError, ValueError):
            return False
        return True


class EtcdCluster:
    """`size` members in `folder`. Use as a context manager: leaving it ends them all."""

    def __init__(
        self, folder: Path | str, size: int = 3, tls: dict[str, str] | None = None, v2: bool = True, **flags: str
    ) -> None:
        ports = free_ports(2 * size)
        self.folder, self.v2 = Path(folder), v2
        self.members = [
            Member(f"m{n}", self.folder / f"m{n}", ports[2 * n], ports[2 * n + 1], tls) for n in range(size)
        ]
        peers = ",".join(f"{member.name}={member.peer}" for member in self.members)
        for member in self.members:
            values = {
                "name": member.name,
                "data-dir": str(member.folder / "data"),
                "listen-client-urls": member.url,
                "advertise-client-urls": member.url,
                "listen-peer-urls": member.peer,
                "initial-advertise-peer-urls": member.peer,
                "initial-cluster": peers,
                "initial-cluster-token": self.folder.name,
                "enable-v2": str(v2).lower(),
                **flags,
            }
            if tls:
                values |= {"cert-file": tls["server_cert"], "key-file": tls["server_key"]}
                values |= {"client-cert-auth": "true", "trusted-ca-file": tls["ca"]} if "cert" in tls else {}
            member.arguments = [f"--{name}={value}" for name, value in values.items()]

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(member.url for member in self.members)

    def __enter__(self) -> "EtcdCluster":
        try:
            for member in self.members:
                member.start()
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for member in self.members:
            member.kill()

    def wait(self, members: list[Member] | None = None) -> None:
        """Until those members (all) answer what needs a quorum. Raises TimeoutError with the end of a log."""
        deadline = time.monotonic() + READY
        for member in self.members if members is None else members:
            while not (member.serves() if self.v2 else self._is_healthy(member)):
                if time.monotonic() > deadline:
                    log = (member.folder / "log").read_text(errors="replace")
                    raise TimeoutError(f"{member.name} does not serve after {READY:g} s:\n{log[-2000:]}")
                time.sleep(0.1)

    @staticmethod
    def _is_healthy(member: Member) -> bool:
        try:
            return member.get("/health")["health"] == "true"
        except (OSError, ValueError):
            return False

    def leader(self) -> Member:
        """The member that leads, once there is one."""
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline:
            for member in self.members:
                if member.leads():
                    return member
            time.sleep(0.1)
        raise TimeoutError(f"no leader after {READY:g} s")

    def followers(self) -> list[Member]:
        leader = self.leader()
        return [member for member in self.members if member is not leader]

    def mend(self) -> None:
        """Everything runs again, as at the beginning."""
        for member in self.members:
            if member.process is None or member.process.poll() is not None:
                member.start()
            else:
                member.resume()
        self.wait()

    def clear(self) -> None:
        """Remove every key."""
        for member in self.members:
            for key in ("minipaas", *EXTRA_KEYS):
                request = urllib.request.Request(f"{member.url}/v2/keys/{key}?recursive=true", method="DELETE")
                with contextlib.suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(request, timeout=10).close()
            return


EXTRA_KEYS = ("noise",)
"""What tests write beside our own tree."""
