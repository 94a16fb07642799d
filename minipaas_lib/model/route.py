"""A route: which domains reach which upstreams, and how."""

from dataclasses import dataclass, field
from typing import NamedTuple

SERVING = "serving"
NO_WEB = "no-web"  # the app has no web process: minipaas' 503 page
NOT_DEPLOYED = "not-deployed"  # nothing of the app has ever been live: minipaas' page for that, with 404
OFF = "off"  # its proxy is disabled: minipaas' page for that, with 503


@dataclass(frozen=True)
class Listener:
    """One host port of an app: requests to it go to the container port of its web processes."""

    scheme: str  # "http"
    host_port: int
    container_port: int


class Backend(NamedTuple):
    """Where a web process is reached: its own ports at its own address, or others that lead there."""

    address: str
    ports: tuple[tuple[int, int], ...] = ()  # (container port, port of the address), where the two differ
    process: str = ""  # its name, which identifies it when its address changes

    def at(self, container_port: int) -> int:
        """The port of the address that leads to a container port."""
        return dict(self.ports).get(container_port, container_port)


@dataclass(frozen=True)
class Route:
    app: str
    generation: str  # identifies this state of the route, such as "v4"; the router proves that it is applied
    domains: tuple[str, ...]  # lower-case ASCII; "*.example.org" is a wildcard
    listeners: tuple[Listener, ...]
    backends: tuple[Backend, ...]  # the web processes
    settings: dict = field(default_factory=dict)  # the router's own, from its route_context hook
    template: str = ""  # the app's own template, where an admin allowed it
    default: bool = False  # it also answers, on port 80, for names that no app has
    withheld: str = ""  # why the app takes no requests (NOT_DEPLOYED, OFF) though it keeps its domains

    @property
    def state(self) -> str:
        return self.withheld or (SERVING if self.backends else NO_WEB)


def stand_ins(count: int) -> list[Backend]:
    """Unused addresses (RFC 2544) as placeholders for processes that do not run yet."""
    return [Backend(f"198.18.{number // 250}.{number % 250 + 1}") for number in range(count)]


def make_route(app: str, generation: str, routing: dict, port: int, backends: list[Backend]) -> Route | None:
    """The route of a release from the answers of the route_context hooks; None if it is disabled.

    Keys of `routing`: domains (list), listeners (list of [scheme, host port, container port]; default http:80:PORT),
    enabled (default true), settings (dict), template (text) and default (whether it also answers for unknown names).
    """
    if not routing.get("enabled", True):
        return None
    listeners = routing.get("listeners") or [["http", 80, port]]
    return Route(
        app=app,
        generation=generation,
        domains=tuple(sorted(routing.get("domains", []))),
        listeners=tuple(Listener(scheme, host, container) for scheme, host, container in listeners),
        backends=tuple(backends),
        settings=dict(routing.get("settings", {})),
        template=routing.get("template", ""),
        default=bool(routing.get("default", False)),
    )


def withheld_route(app: str, routing: dict, why: str) -> Route:
    """A route that keeps the domains of an app that takes no requests."""
    return Route(app, why, tuple(sorted(routing.get("domains", []))), (), (), withheld=why)
