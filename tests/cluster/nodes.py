"""Nodes of a cluster on one machine: containers with a systemd, a dockerd of their own, etcd, and fleet or its double.

A node has what a CoreOS node has: docker, etcd with the v2 API, fleet, systemd and sh; no Python and no nginx where
anything finds them. Needs root, docker, and Debian's mmdebstrap for the image. By hand:

    python3 -m tests.cluster.nodes up NAME | list | down NAME
"""

import concurrent.futures
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.cluster import images, tls
from tests.cluster.outer import DOCKER, Failed, docker

HERE = Path(__file__).parent
LABEL = "minipaas.test.cluster"
FLEET_PORT = 49153
ETCD_PORTS = "2378,2379,2380,4001"
FILES = "/etc/minipaas"  # where a node has the certificates that etcd asks for on port 2378
START_LIMIT = 180  # seconds that nodes may take to come up; 8 where the machine has nothing else to do
# What docker run --privileged gives, less CAP_SYS_RESOURCE, which the bounding set of a small test machine lacks.
PRIVILEGES = [
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--device-cgroup-rule=a *:* rwm",
    "--cgroupns=private",
]


class Node:
    """One node: `name` (node1), `address`, `container` (its name in the outer docker), `machine` (fleet's id of it)."""

    def __init__(self, cluster: str, number: int, network: str) -> None:
        self.name = f"node{number}"
        self.container = f"mpc-{cluster}-{self.name}"
        self.address = f"{network}.{10 + number}"
        self.machine = hashlib.md5(f"rig-{self.name}".encode()).hexdigest()

    @property
    def fleet(self) -> str:
        return f"http://{self.address}:{FLEET_PORT}"

    @property
    def etcd(self) -> str:
        return f"http://{self.address}:2379"

    def exec(self, *words: str, data: bytes | None = None, timeout: float = 60, check: bool = True) -> str:
        """What a command on the node printed. Raises Failed."""
        return docker(
            "exec",
            *(["-i"] if data is not None else []),
            self.container,
            *words,
            data=data,
            timeout=timeout,
            check=check,
        )

    def put(self, files: dict[str, tuple[bytes, int]]) -> None:
        """Write files on the node (also one that does not run): path -> (content, mode)."""
        docker("cp", "-", self.container + ":/", data=tar(files))


class Cluster:
    """`count` nodes on a network of their own. `fleetd`: the real daemon's binary, instead of the double.

    `settings` are fleet's own, such as FLEET_AGENT_TTL="10s"; `metadata` is what every node has beside node=nodeN.
    """

    def __init__(
        self, name: str | None = None, count: int = 3, fleetd: str | None = None, metadata: str = "", **settings: str
    ) -> None:
        self.name = name or f"t{os.getpid()}"
        self.count, self.fleetd, self.metadata, self.settings = count, fleetd, metadata, settings
        self.nodes: list[Node] = []
        self.certificates: dict[str, bytes] = {}  # ca.pem, and client.pem with client.key, as in FILES on every node

    def __enter__(self) -> "Cluster":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def node(self, which: "str | Node") -> Node:
        """A node by name or by fleet's id of its machine."""
        return next(node for node in self.nodes if which in (node, node.name, node.machine))

    @property
    def etcd(self) -> str:
        """The addresses of etcd, as cluster:init takes them."""
        return ",".join(node.etcd for node in self.nodes)

    @property
    def secure_etcd(self) -> str:
        """The same, where they take only who shows one of our certificates."""
        return ",".join(f"https://{node.address}:2378" for node in self.nodes)

    @property
    def fleet(self) -> str:
        """The addresses of fleet, as cluster:init takes them."""
        return ",".join(node.fleet for node in self.nodes)

    def start(self) -> None:
        """Make and boot the nodes, and wait until docker, etcd and fleet answer on all. Raises Failed."""
        remove_orphans()
        image = images.node()
        prepare_host()
        try:
            network = self._make_network()
            self.nodes = [Node(self.name, number, network) for number in range(1, self.count + 1)]
            shown = self._make_certificates()
            self._all(lambda node: self._create(node, image, shown))
            self._all(lambda node: docker("start", node.container))
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Remove the nodes and all that was theirs."""
        remove(self.name)

    def wait_ready(self, *names: str, limit: float = START_LIMIT) -> None:
        """Wait until all nodes, or those named, have docker, etcd and fleet. Raises Failed."""
        nodes = [node for node in self.nodes if not names or node.name in names]
        end = time.monotonic() + limit
        self._all(lambda node: _wait(f"{node.name}: docker, etcd, fleet", lambda: _is_up(node), end), nodes)
        machines = {node.machine for node in nodes}
        _wait("fleet to hear of the nodes", lambda: machines <= set(machines_of(nodes[0])), end)

    def kill(self, name: str) -> None:
        """Cut its power. boot() brings it back."""
        docker("kill", self.node(name).container)

    def boot(self, name: str, wait: bool = True) -> None:
        """Switch a node on again that was killed or shut down."""
        docker("start", self.node(name).container)
        if wait:
            self.wait_ready(name)

    def shutdown(self, name: str) -> None:
        """Shut a node down in order; fleet gives its units away first."""
        docker("stop", "-t", "40", self.node(name).container, timeout=60)

    def pause(self, name: str) -> None:
        """Freeze all of a node, as a stalled hypervisor does."""
        docker("pause", self.node(name).container)

    def unpause(self, name: str) -> None:
        docker("unpause", self.node(name).container)

    def cut_off(self, name: str, what: str = "all") -> None:
        """Drop what goes between a node and the network: "all", only "etcd" (to and from the other members), or only
        "web" (new connections to the node, but those to etcd, fleet and the agent).
        """
        self.heal(name)
        node = self.node(name)
        if what == "web":
            match = ["-p", "tcp", "--syn", "-m", "multiport", "!", "--dports", f"{ETCD_PORTS},{FLEET_PORT},7390"]
            node.exec("iptables", "-w", "-t", "raw", "-A", "PREROUTING", "-i", "eth0", *match, "-j", "DROP")
            return
        ports = [[]]
        if what == "etcd":
            ports = [["-p", "tcp", "-m", "multiport", end, ETCD_PORTS] for end in ("--dports", "--sports")]
        elif what != "all":
            raise ValueError(what)
        for match in ports:
            for table, chain, way in (("raw", "PREROUTING", "-i"), ("mangle", "POSTROUTING", "-o")):
                node.exec("iptables", "-w", "-t", table, "-A", chain, way, "eth0", *match, "-j", "DROP")

    def heal(self, name: str) -> None:
        """End cut_off()."""
        node = self.node(name)
        node.exec("iptables", "-w", "-t", "raw", "-F", "PREROUTING")
        node.exec("iptables", "-w", "-t", "mangle", "-F", "POSTROUTING")

    def load(self, image: str, *names: str) -> None:
        """Bring an image of the outer docker to the docker of all nodes, or of those named."""
        nodes = [node for node in self.nodes if not names or node.name in names]
        done = subprocess.run([DOCKER, "save", image], capture_output=True, timeout=120)
        if done.returncode:
            raise Failed(f"docker save {image}: {done.stderr.decode(errors='replace')}")
        self._all(lambda node: node.exec("docker", "load", "-q", data=done.stdout, timeout=120), nodes)

    def use(self, fleetd: str | None) -> None:
        """Run the real daemon, or the double again, on all nodes from now on. Units that run are taken over."""

        def swap(node: Node) -> None:
            node.exec("systemctl", "kill", "-s", "KILL", "fleet.service")
            node.exec("rm", "-f", "/usr/bin/fleetd")
            node.put({"/usr/bin/fleetd": _fleetd(fleetd)})
            node.exec("systemctl", "restart", "fleet.service")

        self.fleetd = fleetd
        self._all(swap)
        self.wait_ready()

    def _all(self, call, nodes: list[Node] | None = None) -> None:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for done in [pool.submit(call, node) for node in (self.nodes if nodes is None else nodes)]:
                done.result()

    def _make_network(self) -> str:
        """A network with 172.30.N.0/24, for the first N that is free; its first three numbers."""
        for number in range(100, 200):
            network = f"172.30.{number}"
            label = f"{LABEL}={self.name}"
            with contextlib.suppress(Failed):
                docker(
                    "network",
                    "create",
                    "--internal",
                    "--subnet",
                    network + ".0/24",
                    "--gateway",
                    network + ".1",
                    "--label",
                    label,
                    "--label",
                    owner_label(os.getpid()),
                    "mpc-" + self.name,
                )
                return network
            if docker("network", "ls", "-q", "-f", f"name=^mpc-{self.name}$"):
                raise Failed(f"there is a cluster {self.name} already")
        raise Failed("no network of 172.30.0.0/16 is free")

    def _make_certificates(self) -> dict[str, bytes]:
        """Fill `certificates`; what the members of etcd show."""
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            tls.authority(folder, "ca")
            tls.server(folder, "ca", "server", *(node.address for node in self.nodes))
            tls.client(folder, "ca", "client")
            found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".pem", ".key")}
        self.certificates = {name: found[name] for name in ("ca.pem", "client.pem", "client.key")}
        return {name: found[name] for name in ("server.pem", "server.key")}

    def _create(self, node: Node, image: str, shown: dict[str, bytes]) -> None:
        hosts = [f"--add-host={other.name}:{other.address}" for other in self.nodes]
        mounts = [
            "--tmpfs=/run:exec,mode=755",
            "--tmpfs=/run/lock",
            "--tmpfs=/tmp:exec,mode=1777",
            "--volume=/var/lib/docker",
            "--volume=/var/lib/etcd",
        ]
        docker(
            "create",
            "--name",
            node.container,
            "--hostname",
            node.name,
            "--label",
            f"{LABEL}={self.name}",
            "--label",
            owner_label(os.getpid()),
            "--stop-signal=SIGRTMIN+3",
            "--network",
            "mpc-" + self.name,
            "--ip",
            node.address,
            *PRIVILEGES,
            *mounts,
            *hosts,
            image,
            "/usr/local/sbin/node-init",
        )
        node.put(self._files(node) | {f"/etc/node/{name}": (content, 0o600) for name, content in shown.items()})

    def _files(self, node: Node) -> dict[str, tuple[bytes, int]]:
        root = HERE / "image" / "files"
        files = {
            "/" + str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode & 0o777)
            for path in root.rglob("*")
            if path.is_file()
        }
        for path in (HERE / "fleet_double").glob("*.py"):
            files[f"/opt/fleet-double/code/fleet_double/{path.name}"] = (path.read_bytes(), 0o644)
        files["/usr/bin/fleetd"] = _fleetd(self.fleetd)
        files["/etc/node/machine-id"] = (node.machine.encode() + b"\n", 0o644)
        metadata = f"node={node.name}" + ("," + self.metadata if self.metadata else "")
        environment = {
            "NODE": node.name,
            "ADDRESS": node.address,
            "CLUSTER": "mpc-" + self.name,
            "MEMBERS": ",".join(f"{other.name}=http://{other.address}:2380" for other in self.nodes),
            "FLEET_ETCD_SERVERS": ",".join(["http://127.0.0.1:2379", *(other.etcd for other in self.nodes)]),
            "FLEET_ETCD_REQUEST_TIMEOUT": "3",
            "FLEET_PUBLIC_IP": node.address,
            "FLEET_METADATA": metadata,
            **self.settings,
        }
        lines = "".join(f"{key}={value}\n" for key, value in environment.items())
        files["/etc/node/environment"] = (lines.encode(), 0o644)
        files |= {f"{FILES}/{name}": (content, 0o600) for name, content in self.certificates.items()}
        return files


def remove(name: str) -> None:
    """Remove the nodes of a cluster, their volumes and their network. None there is fine."""
    _remove("label", f"{LABEL}={name}")


def remove_orphans() -> None:
    """Remove what test runs left that were killed."""
    listed = docker(
        "ps", "-a", "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}} {{{{.Label "owner"}}}}'
    )
    listed += docker(
        "network", "ls", "--filter", f"label={LABEL}", "--format", f'{{{{.Label "{LABEL}"}}}} {{{{.Label "owner"}}}}'
    )
    for name, owner in {tuple(line.split()) for line in listed.splitlines() if len(line.split()) == 2}:
        if owner != "nobody" and not _lives(owner):
            remove(name)


def _remove(kind: str, value: str) -> None:
    frozen = docker("ps", "-q", "--filter", f"{kind}={value}", "--filter", "status=paused").split()
    if frozen:  # no signal reaches them
        docker("unpause", *frozen, check=False)
    found = docker("ps", "-aq", "--filter", f"{kind}={value}").split()
    if found:
        docker("rm", "-f", "-v", *found, timeout=120, check=False)
    for network in docker("network", "ls", "-q", "--filter", f"{kind}={value}").split():
        docker("network", "rm", network, check=False)


def machines_of(node: Node) -> list[str]:
    """The ids of the machines that fleet on a node hears of; none while it does not answer."""
    import http.client
    import json

    connection = http.client.HTTPConnection(node.address, FLEET_PORT, timeout=5)
    try:
        connection.request("GET", "/fleet/v1/machines")
        answer = connection.getresponse()
        return [machine["id"] for machine in json.load(answer).get("machines", [])] if answer.status == 200 else []
    except (OSError, http.client.HTTPException, ValueError):
        return []
    finally:
        connection.close()


def _is_up(node: Node) -> bool:
    try:
        node.exec("systemctl", "is-active", "-q", "docker.service", "etcd.service", "fleet.service", timeout=15)
        node.exec("docker", "version", timeout=15)
    except Failed:
        return False
    return True


def _wait(what: str, condition, end: float) -> None:
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited in vain for {what}")
        time.sleep(0.2)


def prepare_host() -> None:
    """What systemd in a container needs of the machine around it."""
    hierarchy = "/sys/fs/cgroup/systemd"
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers") and not os.path.ismount(hierarchy):
        os.makedirs(hierarchy, exist_ok=True)
        subprocess.run(
            ["mount", "-t", "cgroup", "-o", "none,name=systemd", "systemd", hierarchy], timeout=10, check=True
        )
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < 1024:
        with contextlib.suppress(OSError):  # a container may not; its host has to
            limit.write_text("1024")


def _fleetd(binary: str | None) -> tuple[bytes, int]:
    return (Path(binary) if binary else HERE / "image/files/usr/bin/fleetd").read_bytes(), 0o755


def tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """An archive of files: path -> (content, mode)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


_kept = False


def owner_label(pid: int) -> str:
    """A label that tells whether the process that things were made for still lives: its id and when it began."""
    return "owner=nobody" if _kept else f"owner={pid}:{_began(pid)}"


def _began(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _lives(owner: str) -> bool:
    pid, _, began = owner.partition(":")
    try:
        return _began(int(pid)) == began
    except (OSError, ValueError):
        return False


def main(words: list[str]) -> None:
    global _kept
    if words[:1] == ["up"] and len(words) == 2:
        _kept = True
        cluster = Cluster(words[1], fleetd=os.environ.get("FLEETD"))
        began = time.monotonic()
        cluster.start()
        for node in cluster.nodes:
            print(node.name, node.container, node.address, node.machine)
        print(f"up after {time.monotonic() - began:.1f} s")
    elif words[:1] == ["down"] and len(words) == 2:
        remove(words[1])
    elif words == ["list"]:
        print(docker("ps", "--filter", f"label={LABEL}", "--format", "{{.Names}}"), end="")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
