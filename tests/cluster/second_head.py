"""Another host that has minipaas: a container with sshd, git, docker and nginx of its own, on the nodes' network."""

import subprocess
from pathlib import Path

from tests.cluster import images, nodes
from tests.cluster.outer import DOCKER, Failed, docker

MINIPAAS = "/usr/local/bin/minipaas"
# What dockerd needs; what was put into the container is installed by the test, and stays away from the network.
START = """mount -o remount,bind,rw /sys; mount -o remount,bind,rw /sys/fs/cgroup
for hierarchy in /sys/fs/cgroup/*; do mountpoint -q "$hierarchy" && mount -o remount,bind,rw "$hierarchy"; done
exec sleep infinity"""


class Host:
    """Where minipaas is installed from the one file of this machine. `address` is where a laptop reaches it."""

    def __init__(self, cluster: "nodes.Cluster", name: str = "web2") -> None:
        self.name, self.container = name, f"mpc-{cluster.name}-{name}"
        self.address = cluster.nodes[0].address.rpartition(".")[0] + ".21"
        self._network = "mpc-" + cluster.name
        self._label = f"{nodes.LABEL}={cluster.name}"

    def start(self, certificates: dict[str, bytes]) -> None:
        """Make it, with these files in nodes.FILES. Raises Failed."""
        docker(
            "create",
            "--init",
            "--name",
            self.container,
            "--hostname",
            self.name,
            "--label",
            self._label,
            "--network",
            self._network,
            "--ip",
            self.address,
            *nodes.PRIVILEGES,
            "--volume=/var/lib/docker",
            "--tmpfs=/tmp:exec,mode=1777",
            images.host(),
            "/bin/sh",
            "-c",
            START,
        )
        files = {f"{nodes.FILES}/{name}": (content, 0o644) for name, content in certificates.items()}
        files["/root/minipaas.pyz"] = (Path(MINIPAAS).read_bytes(), 0o755)
        docker("cp", "-", self.container + ":/", data=nodes.tar(files))
        docker("start", self.container)
        done = self.exec("/root/minipaas.pyz", "install")
        if done.returncode:
            raise Failed(f"minipaas was not installed on {self.name}: {done.stdout}{done.stderr}")

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """A command as root types it there."""
        return self.exec(MINIPAAS, *words)

    def exec(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([DOCKER, "exec", self.container, *words], capture_output=True, text=True, timeout=300)

    def kill(self) -> None:
        """Cut its power."""
        docker("kill", self.container)

    def remove(self) -> None:
        docker("rm", "-f", "-v", self.container, check=False)
