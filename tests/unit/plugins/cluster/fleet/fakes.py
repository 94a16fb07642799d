"""A fleet, the dockers of two nodes, and the ways to them."""

import itertools

from minipaas_lib import api
from minipaas_lib.model import service
from plugins.cluster.fleet import client, units
from tests.fakes import FakeScheduler

ONE, TWO = "1" * 32, "2" * 32
SPEC = api.ContainerSpec(
    "blog_v3.web.1", "blog", 3, "web", 1, image="sha256:1", command="serve", port=5000, ports=(5000,)
)


class Elsewhere(FakeScheduler):
    """A scheduler that makes others of its kind for nodes."""

    def __init__(self):
        super().__init__()
        self.nodes, self.taken, self.built, self.used = {}, [], {}, set()

    def elsewhere(self, url, published_at="", node="", beside=""):
        made = Elsewhere()
        made.gone, made.node = {"sha256:1"}, node
        return self.nodes.setdefault(node, made)

    def give_image(self, image):
        yield image.encode()

    def take_image(self, pieces):
        image = b"".join(pieces).decode()
        self.gone.discard(image)
        self.taken.append(image)

    def images(self):
        return dict(self.built)

    def drop_image(self, image):
        return image not in self.used and self.built.pop(image, None) is not None


class Fleet:
    """fleet, and the agents that tell the store of what it starts: on the first machine that the unit may go to."""

    def __init__(self, store):
        self.store, self.made, self.there = store, {}, []
        self.started = "running"
        self.ports = itertools.count(49153)
        self.asked = 0

    def machines(self):
        return [
            client.Machine(ONE, "192.0.2.1", {"node": "node1", "disk": "ssd"}),
            client.Machine(TWO, "192.0.2.2", {"node": "node2"}),
        ]

    def units(self):
        return [
            client.Unit(name, "launched", "launched", ONE, tuple(options))
            for name, options in sorted(self.made.items())
        ]

    def unit(self, name):
        return next((unit for unit in self.units() if unit.name == name), None)

    def submit(self, name, options, desired="launched"):
        self.made[name] = options
        app, release, kind, index = units.process_of(name)
        state = {"running": ("active", "running"), "broken": ("activating", "auto-restart")}.get(self.started)
        if state:
            self.there.append(client.State(name, ONE, "loaded", *state, "0"))
        if self.started == "running":
            process = api.Process(
                name.removesuffix(".service"),
                app,
                release,
                kind,
                index,
                id="ab",
                address="192.0.2.1",
                port=5000,
                state="running",
                adopted=True,
                node=ONE,
                ports=((5000, next(self.ports)),),
            )
            api.kernel.documents.write(self.store, service.path(process), service.to_document(process), ttl=60)

    def destroy(self, name):
        self.there = [state for state in self.there if state.name != name]
        return self.made.pop(name, None) is not None

    def states(self):
        self.asked += 1
        return self.there


class Tunnels:
    def url(self, address):
        return f"unix:///{address}"
