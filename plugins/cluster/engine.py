"""The contract of a cluster's engine, and what it and the cluster's router ask of the engines of one host.

An engine starts, stops, lists and moves processes, keeps images on nodes, and says which machines the members are. The
other rooms know it by this contract alone: active_engine.py is the one place that chooses it, and each engine is a
folder of its own beside them.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

from minipaas_lib import api


class Machine(Protocol):
    """A machine that the engine hears of."""

    @property
    def id(self) -> str:
        """Its /etc/machine-id: 32 hex digits."""

    @property
    def address(self) -> str:
        """The IP address at which heads and other machines reach it; empty where the engine does not know it."""

    @property
    def metadata(self) -> dict[str, str]:
        """What tags can ask for; `node` is what people call it."""


class Machines(Protocol):
    """The machines of the cluster: who the members are, and what of ours runs on all of them.

    Every method raises errors.Unavailable when the engine does not answer.
    """

    def all(self) -> Sequence[Machine]:
        """The machines that the engine hears of, by name; also those that are no nodes (yet, or any more)."""

    def members(self) -> Sequence[Machine]:
        """Those of them that were not expelled."""

    def run(
        self, name: str, image: str, words: list[str], mounts: tuple[str, ...] = (), fenced: tuple[int, ...] = ()
    ) -> None:
        """Have a command of ours in a container `name` of `image` on every machine that is a node: see join().

        `mounts` as docker's --volume has them; `fenced` are ports, of any machine, that processes of apps are kept from
        before. The same again changes nothing.
        """

    def once(self, name: str, line: str, only: str = "") -> None:
        """Run a line of sh on every node, or on the machine of the id `only`, as root.

        Its outcome stays until remove(name).
        """

    def outcomes(self, name: str) -> dict[str, str]:
        """By id of the machine, how `name` is there: running, done (what runs once), failed or starting."""

    def remove(self, name: str) -> None:
        """End it on all machines. None there is fine."""

    def mark(self, machine: str, key: str, value: str | None) -> None:
        """Give a machine a piece of metadata, in the place of what it had under that key; None takes it away."""

    def join(self, machine: str) -> None:
        """Have what run() says on that machine too."""

    def expel(self, machine: str) -> None:
        """Have nothing of what run() says on that machine any more, nor processes; also on one that is lost."""

    def expelled(self) -> Sequence[Machine]:
        """The machines that the engine hears of and that were expelled."""


class LocalScheduler(api.Scheduler, Protocol):
    """The scheduler of one host, which works on the docker of each node too: see plugins/scheduler_docker."""

    node: str  # the id of the node that it works on; empty on a host of its own

    def elsewhere(self, url: str, published_at: str = "", node: str = "", beside: str = "") -> "LocalScheduler":
        """The same on the docker that answers at `url` (unix:///path), "" for this host's: that of a node.

        There the ports of processes are published at the address `published_at`; `beside` names a container that sees
        all processes of the node.
        """

    def interface(self) -> str:
        """The network interface on a host by which its processes reach it and all else."""

    def names(self) -> set[str]:
        """The names of all processes, without a closer look at each."""

    def changes(self) -> Iterator[str]:
        """The names of apps, each as a process of it starts or ends. Endless; needs gevent's patches."""

    def prepare(self, spec: "api.ContainerSpec") -> str:
        """Create the container of a process, which somebody else starts, unless it is there; its id."""

    def detach(self, spec: "api.ContainerSpec", ttl: int | None = None, number: int = 1) -> "api.Detached":
        """See bus.engines.Scheduler. `number` is the least that it may have: other hosts have those below."""

    def images(self) -> dict[str, str]:
        """The images here: ID -> the name then of the app that each was built for, "" for none."""

    def give_image(self, image: str) -> Iterator[bytes]:
        """The image as the pieces of a tar archive, for take_image() elsewhere."""

    def take_image(self, pieces: Iterable[bytes]) -> None:
        """Load an image from the pieces of its archive."""

    def drop_image(self, image: str) -> bool:
        """Remove an image that no container uses; whether it was."""


class LocalRouter(api.Router, Protocol):
    """The router of one host's nginx: see plugins/router_nginx.

    It may have a method `follow_platform(platform)`, by which it takes up what platform.toml says for all apps. One
    that has none needs to know nothing of it.
    """

    def check(self, route: "api.Route | None" = None) -> None:
        """See bus.engines.AskableRouter."""

    def placed(self, app: str) -> str:
        """See bus.engines.AskableRouter."""

    def install(self) -> None:
        """Write what is not an app's where it differs, for an nginx that is about to start."""

    def reopen_logs(self) -> None:
        """Have nginx begin its logs anew, after they were moved away."""


class ClusterEngine(api.Scheduler, Protocol):
    """A scheduler whose processes run on the nodes of a cluster.

    It takes the place of the host's own scheduler. While apps are moved between the host and the cluster it knows the
    processes of both: those of the host, which have no node, are `local`'s.
    """

    @property
    def local(self) -> LocalScheduler:
        """The scheduler of this host alone."""

    @property
    def machines(self) -> Machines:
        """The machines of the cluster."""

    def node_name(self, node: str) -> str:
        """What people call the machine of that id."""

    def have_image(self, image: str) -> None:
        """Have the image on this host, from a node if it must be. Raises errors.Unavailable."""

    def bring_images(self) -> None:
        """Have all that this side keeps of apps on the side that apps move to, so that each can go back without it.

        Where that fails, it is told of: nothing runs them. Raises errors.Unavailable without a docker here.
        """

    def node_images(self, among: Collection[str]) -> dict[str, dict[str, str]]:
        """The images on each of these nodes that answers, by its id: see LocalScheduler.images."""

    def drop_unused_images(self, app: str, kept: set[str], newest: int) -> list[str]:
        """Remove old images of an app from the nodes, as the hook images_unused has it; their IDs.

        A node that does not answer keeps them.
        """

    # On a node itself

    def this_machine(self) -> Machine:
        """The machine that we run on, if it is a node. Raises errors.Unavailable."""

    def prepare(self, spec: "api.ContainerSpec") -> str:
        """Make the container of a process that this node is about to start, its image brought here; its id.

        Raises errors.DeployFailed.
        """

    def hand_over(self, app: str, name: str) -> bool:
        """Before a process that is being moved is stopped on this node: wait until it runs elsewhere; whether it does.

        Raises errors.Unavailable.
        """

    def catch_up(self) -> None:
        """Have on this node what the others keep of apps that may run here. Raises errors.Unavailable."""


class ClusterRouter(api.Router, Protocol):
    """The router of a cluster: a route is for the nginx of every node and head."""

    @property
    def local(self) -> LocalRouter:
        """The router of this host alone."""

    def check(self, route: "api.Route | None" = None) -> None:
        """See bus.engines.AskableRouter."""

    def placed(self, app: str) -> str:
        """See bus.engines.AskableRouter."""

    def routers(self) -> dict[str, dict]:
        """What each living router has applied, by the id of its node or the name of its head."""

    def behind(self) -> dict[str, list[str]]:
        """By living router, the apps whose route, as it is now, it has not applied."""
