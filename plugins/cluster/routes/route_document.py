"""Routes as the head writes them, routes/<app>.toml, and which processes a router sends requests to. Pure."""

from collections.abc import Callable

from minipaas_lib import api

FOLDER = "routes"
CONNECT_TIMEOUT = "2s"


def path(app: str) -> str:
    return f"{FOLDER}/{app}.toml"


def to_document(route: "api.Route") -> dict:
    """All of a route; its backends as they are now, for a router that has not heard of the processes yet."""
    return {
        "generation": route.generation,
        "domains": list(route.domains),
        "listeners": [[one.scheme, one.host_port, one.container_port] for one in route.listeners],
        "backends": [
            {"process": one.process, "address": one.address, "ports": [list(pair) for pair in one.ports]}
            for one in route.backends
        ],
        "settings": dict(route.settings),
        "template": route.template,
        "default": route.default,
        "withheld": route.withheld,
    }


def from_document(app: str, document: dict) -> "api.Route":
    """Raises errors.InvalidFile for what the head would not write. Its values are for the router to judge."""
    try:
        return api.Route(
            app=app,
            generation=_text(document["generation"]),
            domains=tuple(_text(domain) for domain in document["domains"]),
            listeners=tuple(
                api.Listener(_text(s), int(host), int(inside)) for s, host, inside in document["listeners"]
            ),
            backends=tuple(_backend(one) for one in document["backends"]),
            settings=dict(document["settings"]),
            template=_text(document["template"]),
            default=bool(document.get("default", False)),  # a head of an older version does not know these two
            withheld=_text(document.get("withheld", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise api.errors.InvalidFile(f"the route of {app} is not what heads write: {error}") from None


def digest(text: str) -> str:
    """A short name of exactly this state of a route's document."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def for_nodes(route: "api.Route") -> "api.Route":
    """The route with a short time for connecting, where the app asks for none: a node that is lost answers nothing."""
    import dataclasses

    return dataclasses.replace(route, settings={"proxy-connect-timeout": CONNECT_TIMEOUT} | route.settings)


def with_backends(route: "api.Route", found: list["api.Backend"]) -> "api.Route":
    """The route to other backends."""
    import dataclasses

    return dataclasses.replace(route, backends=tuple(found))


def _backend(entry: dict) -> "api.Backend":
    ports = tuple((int(inside), int(outside)) for inside, outside in entry["ports"])
    return api.Backend(_text(entry["address"]), ports, _text(entry["process"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{api.names.safe(str(value)[:80])} is not text")
    return value


def backends(
    named: list["api.Backend"],
    services: dict[str, "api.Process"],
    known: dict[str, "api.Backend"],
    accepts: Callable[["api.Backend"], bool],
) -> list["api.Backend"]:
    """Where requests for a route go now, in the order of `named`, the processes it was made for.

    `services` is what nodes tell of the processes, by name; `known` where each was last; `accepts` tries to connect.
    A process nobody tells of may live on a node that lost etcd, so it is dropped only when it does not accept. One
    that a node says has ended is dropped at once. The last ones are never dropped: nobody would be left to ask.
    """
    where = [known.get(one.process, one) for one in named]
    reachable = []
    for last in where:
        service = services.get(last.process)
        if service is not None and service.state == "running" and service.address:
            reachable.append(service.backend)
        elif service is None and accepts(last):
            reachable.append(last)
    return reachable or where
