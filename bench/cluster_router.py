"""Run inside the image of nodes by bench/cluster: what many routes cost nginx and who follows them. Prints JSON.

It is handed to the image's Python on stdin, with the numbers of routes as arguments. Nothing else runs in there.
"""

import json
import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, "/usr/local/bin/minipaas")

from minipaas_lib import api

api.activate()

from minipaas_lib.store.contract import Document, Tree  # noqa: E402
from plugins.cluster.routes import route_document, route_reconciler  # noqa: E402
from plugins.router_nginx import files, host, render  # noqa: E402
from plugins.router_nginx.router import NginxRouter  # noqa: E402

CHANGES = 7


def route(number: int, generation: str = "v1") -> "api.Route":
    """An app's route: two domains, two processes."""
    where = f"10.0.{number % 250}"
    places = [api.Backend(f"{where}.{last}", ((5000, 32768),), f"app{number}_v1.web.{last}") for last in (1, 2)]
    names = (f"app{number}.example.org", f"www.app{number}.example.org")
    return api.Route(f"app{number}", generation, names, (api.Listener("http", 80, 5000),), tuple(places))


class Still:
    """A store in which nothing changes: the routes, and the two processes of each that some node tells of."""

    def __init__(self, count: int) -> None:
        from tomlkit import dumps

        routes, told = {}, {}
        for number in range(count):
            found = route(number)
            routes[route_document.path(found.app)] = Document(dumps(route_document.to_document(found)), "1")
            for one in found.backends:
                process = api.Process(
                    one.process,
                    found.app,
                    1,
                    "web",
                    int(one.process[-1]),
                    address=one.address,
                    port=5000,
                    state="running",
                    node="node1",
                    ports=one.ports,
                    started="2026-01-01T00:00:00Z",
                )
                told[api.kernel.service.path(process)] = Document(dumps(api.kernel.service.to_document(process)), "1")
        self._found = {route_document.FOLDER: Tree(routes, "1"), api.kernel.service.FOLDER: Tree(told, "1")}

    def read_all(self, folder: str) -> Tree:
        return self._found[folder]

    def write(self, *_, **__) -> str:
        return "2"

    def renew(self, *_) -> str:
        return "2"


class Idle:
    """A router that has all that it is given."""

    def apply(self, route) -> None:
        pass

    def routes(self) -> list[str]:
        return []


def cpu(call, *arguments) -> float:
    """Seconds of the processor."""
    began = time.process_time()
    call(*arguments)
    return time.process_time() - began


def clock(call, *arguments) -> float:
    began = time.monotonic()
    call(*arguments)
    return time.monotonic() - began


def reload_bare(here: host.Host) -> None:
    """What nobody can spare: nginx reads its files again, and other workers take the requests."""
    former = host.workers(here)
    subprocess.run(["nginx", "-s", "reload"], check=True, timeout=60, capture_output=True)
    end = time.monotonic() + 60
    while former & host.workers(here) and time.monotonic() < end:
        time.sleep(0.005)


def changed_files(folder: str, before: dict) -> int:
    return sum(before.get(name) != marks for name, marks in marked(folder).items())


def marked(folder: str) -> dict[str, tuple]:
    stats = {entry.name: entry.stat() for entry in os.scandir(folder)}
    return {name: (found.st_ino, found.st_mtime_ns, found.st_size) for name, found in stats.items()}


def measure(router: NginxRouter, present: int, count: int) -> dict:
    """All about `count` routes, of which nginx has `present`."""
    here = router.host
    rendering = cpu(lambda: [render.app_file(route(number), here.place) for number in range(count)])
    for number in range(present, count):
        files.write(files.app_path(here, f"app{number}"), render.app_file(route(number), here.place))
    reload_bare(here)
    touched, ours, bare = 0, [], []
    for turn in range(CHANGES):
        before = marked(here.live)
        ours.append(clock(router.apply, route(turn, f"of-{count}")))
        touched = max(touched, changed_files(here.live, before))
        bare.append(clock(reload_bare, here))
    reconciler = route_reconciler.Reconciler(Still(count), Idle(), "node1", lambda backend: True, time.monotonic)
    reconciler.look()
    looking = statistics.median(cpu(reconciler.look) for _ in range(5))
    return {
        "routes": count,
        "render": rendering,
        "touched": touched,
        "look": looking,
        "apply": statistics.median(mine / theirs for mine, theirs in zip(ours, bare, strict=True)),
        "reload": statistics.median(bare),
    }


def main() -> None:
    router = NginxRouter()
    router.install()
    subprocess.run(["nginx"], check=True, timeout=60)
    render.app_file(route(0), router.host.place)  # loads the templates
    found, present = [], 0
    for count in map(int, sys.argv[1:]):
        found.append(measure(router, present, count))
        present = count
    print(json.dumps(found))


main()
