"""--scheduler=fleet: this host joins three nodes for the run, so that its tests' apps run there; see tests/cluster."""

import contextlib
import json
import os
import subprocess
import tomllib
import urllib.parse
import urllib.request
from pathlib import Path

MINIPAAS = "/usr/local/bin/minipaas"
DOCKER = "/usr/bin/docker"
STATE = Path("/var/lib/minipaas/state")
CONTAINERS = (
    "MINIPAAS_TEST_NODES"  # in the environment, for the other processes of pytest: the nodes, as containers here
)
OF_CONTAINERS = ("ps", "inspect", "exec", "kill", "logs", "rm", "stop", "top", "port", "diff", "pause", "unpause")
_cluster = None


def nodes() -> list[str]:
    """The nodes' containers; none where the host is on its own."""
    return os.environ.get(CONTAINERS, "").split()


def join() -> None:
    """Make the nodes, and have the host join them. Raises AssertionError."""
    global _cluster
    from tests.cluster import images
    from tests.cluster.nodes import Cluster

    _cluster = Cluster(fleetd=os.environ.get("FLEETD"))
    try:
        _cluster.start()
        words = ["cluster:init", "--etcd", _cluster.etcd, "--fleet", _cluster.fleet, "--base", images.base()]
        done = subprocess.run([MINIPAAS, *words], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"cluster:init: {done.stdout}\n{done.stderr}"
    except BaseException:
        leave()
        raise
    os.environ[CONTAINERS] = " ".join(node.container for node in _cluster.nodes)


def leave() -> None:
    """Have the host be on its own again, and remove the nodes. None there is fine."""
    global _cluster
    if _cluster is None:
        return
    os.environ.pop(CONTAINERS, None)
    try:
        done = subprocess.run([MINIPAAS, "cluster:leave"], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, f"cluster:leave: {done.stdout}\n{done.stderr}"
    finally:
        _cluster.stop()
        _cluster = None


def document(path: str) -> str:
    """A document of the state, wherever that is."""
    if not nodes():
        return (STATE / path).read_text()
    with urllib.request.urlopen(_key(path) + "?quorum=true", timeout=20) as answer:
        return json.load(answer)["node"]["value"]


def documents() -> dict[str, str]:
    """All documents of the state of apps, by path."""
    if not nodes():
        found = [
            path
            for path in (STATE / "apps").rglob("*")
            if path.is_file() and ".scratch" not in path.parts and path.name != ".lock"
        ]
        return {str(path.relative_to(STATE)): path.read_text() for path in found}
    with urllib.request.urlopen(_key("apps") + "?quorum=true&recursive=true", timeout=20) as answer:
        left, found = [json.load(answer)["node"]], {}
    while left:
        node = left.pop()
        left += node.get("nodes", [])
        if not node.get("dir"):
            found[node["key"].removeprefix("/minipaas/")] = node["value"]
    return found


def write_document(path: str, text: str) -> None:
    """Have a document say something, as somebody does who knows better than our commands."""
    if not nodes():
        (STATE / path).write_text(text)
        return
    asked = urllib.request.Request(_key(path), urllib.parse.urlencode({"value": text}).encode(), method="PUT")
    urllib.request.urlopen(asked, timeout=20).close()


def _key(path: str) -> str:
    found = tomllib.loads((STATE.parent / "cluster.toml").read_text())
    return f"{found['etcd'][0]}/v2/keys/minipaas/{urllib.parse.quote(path)}"


def pid(container: str) -> int:
    """The first process of a container, as this host counts them."""
    answer = docker(("inspect", "-f", "{{.State.Pid}} {{.Id}}", container), None).stdout.decode().split()
    if not nodes():
        return int(answer[0])
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            counted = next(line.split()[1:] for line in status.read_text().splitlines() if line.startswith("NSpid:"))
            # In the container it is 1, on the node what docker there says.
            if counted[1:] == [answer[0], "1"] and answer[1] in (status.parent / "cgroup").read_text():
                return int(counted[0])
    raise AssertionError(f"{container} has no process")


def docker(words: tuple[str, ...], input: bytes | None) -> subprocess.CompletedProcess:
    """A command about containers, asked of every docker: what all of them list, or the answer of the one with it."""
    dockers = [[DOCKER], *([DOCKER, "exec", "-i", node, "docker"] for node in nodes())]
    asked = []
    for where in dockers if words[0] in OF_CONTAINERS else dockers[:1]:
        asked.append(subprocess.run([*where, *words], input=input or b"", capture_output=True, timeout=240))
        if words[0] != "ps" and asked[-1].returncode == 0:
            return asked[-1]
    if words[0] == "ps":
        asked[0].stdout = b"".join(one.stdout for one in asked)
    return asked[0]
