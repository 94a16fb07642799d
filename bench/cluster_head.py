"""What bench/cluster measures on: three nodes as the cluster tests have them, and this process as their head."""

import contextlib
import os
import time
from pathlib import Path

from minipaas_lib import api, cluster_settings
from minipaas_lib.bus import active_engines
from plugins.cluster.fleet import connection, units
from plugins.cluster.fleet.client import Fleet
from plugins.cluster.head import certificate_authority, follower_process
from tests.cluster import node_image, nodes

APP, DOMAIN = "bench", "bench.example.org"
APP_IMAGE, NODE_IMAGE = "minipaas-bench/app:1", "minipaas-bench/node:1"
AGENT, ROUTER = "minipaas-agent", "minipaas-router"
SHARED = ("minipaas-nginx:/var/lib/minipaas/nginx", "minipaas-run:/run", "minipaas-log:/var/log/nginx")
LIMIT = 120.0  # seconds for fleet to carry something out; most of it takes a tenth of that
DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY index.html /www/
CMD ["/bin/busybox", "httpd", "-f", "-p", "5000", "-h", "/www"]
"""


def until(what: str, condition, limit: float = LIMIT, pause: float = 0.2):
    """The first true answer of `condition`; while fleet or etcd is away there is none. Raises nodes.Failed."""
    end = time.monotonic() + limit
    while True:
        with contextlib.suppress(api.errors.Unavailable):
            if found := condition():
                return found
        if time.monotonic() > end:
            raise nodes.Failed(f"waited {limit:.0f} s in vain for {what}")
        time.sleep(pause)


class Requests:
    """Counts what this process asks of fleet while its block lasts."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __enter__(self) -> "Requests":
        self._exchange = connection.exchange

        def counted(where, method, path, *more):
            self.asked.append((method, path))
            return self._exchange(where, method, path, *more)

        connection.exchange = counted
        return self

    def __exit__(self, *_) -> None:
        connection.exchange = self._exchange

    @property
    def looks(self) -> int:
        """How often all states were read, however many pages they had."""
        return sum(path.startswith("/fleet/v1/state") and "nextPageToken" not in path for _, path in self.asked)


class Head:
    """This process as a head of `cluster`; `folder` is an empty one. Everything is removed with the nodes."""

    def __init__(self, cluster: nodes.Cluster, folder: Path) -> None:
        self.cluster, self._folder, self.fleet = cluster, folder, Fleet(cluster.fleet)

    def join(self) -> None:
        """Have agents and routers at work on all nodes, and the app's image there."""
        os.environ["MINIPAAS_ROOT"] = str(self._folder / "root")
        follower_process.ensure_running = lambda: None  # an nginx on this machine is none of ours
        (self._folder / "root").mkdir()
        found = cluster_settings.ClusterSettings(tuple(self.cluster.etcd.split(",")), fleet=self.cluster.fleet)
        cluster_settings.write(found)
        api.kernel.check_store(api.kernel.store())
        (self._folder / "keys").mkdir()
        for part, keys in certificate_authority.make(str(self._folder / "keys")).items():
            api.kernel.documents.write(api.kernel.store(), f"cluster/{part}.toml", keys)
        (self._folder / "image").mkdir()
        node_image.make(self._folder / "image", found, NODE_IMAGE)
        api.kernel.documents.write(api.kernel.store(), "cluster/image.toml", {"name": NODE_IMAGE})
        self.cluster.load(NODE_IMAGE)
        for unit, words in ((ROUTER, ("node:router",)), (AGENT, ("node:agent", "--serve"))):
            run = units.node_run(NODE_IMAGE, *words, name=unit, more=SHARED)
            self.fleet.submit(unit + ".service", units.global_unit(unit, unit, run))
        self._image = self._make_image()
        self.cluster.load(APP_IMAGE)
        api.kernel.create_app(APP)
        until("all routers", lambda: len(api.kernel.store().children("routers")) == len(self.cluster.nodes))

    def _make_image(self) -> str:
        folder = self._folder / "app"
        folder.mkdir()
        (folder / "Dockerfile").write_text(DOCKERFILE)
        (folder / "index.html").write_text("hello\n")
        (folder / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (folder / "busybox").chmod(0o755)
        nodes.docker("build", "-q", "-t", APP_IMAGE, str(folder))
        return nodes.docker("images", "-q", "--no-trunc", APP_IMAGE).strip()

    def release(self, count: int) -> api.Release:
        """The release of that many web processes, written to the store; its number is 1."""
        made = api.Release(
            APP,
            1,
            image=self._image,
            formation={"web": count},
            processes=1,
            port=5000,
            status="released",
            commands={"web": ["/bin/busybox", "httpd", "-f", "-p", "5000", "-h", "/www"]},
            options={"web": {"stop_timeout": 1}},
            routing={"domains": [DOMAIN], "listeners": [["http", 80, 5000]]},
        )
        api.kernel.documents.write(api.kernel.store(), f"apps/{APP}/releases/1.toml", made.to_document())
        return made

    def told(self) -> list[str]:
        """The processes that agents tell of."""
        return api.kernel.store().children(f"{api.kernel.service.FOLDER}/{APP}")

    def process_units(self) -> list:
        """The units of processes, as fleet has them."""
        return [unit for unit in self.fleet.units() if units.process_of(unit.name)]

    def clear(self) -> None:
        """Have no process and no route, and wait until nothing tells of any."""
        for unit in self.process_units():
            self.fleet.destroy(unit.name)
        api.router().remove(APP)
        until("all units to stop", lambda: not any(units.process_of(state.name) for state in self.fleet.states()))
        line = "docker ps -aq --filter label=minipaas.app | xargs -r docker rm -f >/dev/null"
        for node in self.cluster.nodes:
            node.exec("sh", "-c", line, timeout=LIMIT)
        until("agents to have taken all back", lambda: not self.told())

    def leave(self) -> None:
        """Take away what is on this machine; the nodes go by themselves."""
        active_engines.forget()
        nodes.docker("rmi", "-f", APP_IMAGE, NODE_IMAGE, check=False)
