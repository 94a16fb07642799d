"""The addresses an app answers at."""

from minipaas_lib.model.release import Release
from minipaas_lib.model.route import make_route


def urls(release: Release) -> list[str]:
    """All URLs of a release, wildcards left out; empty where it is not routed."""
    route = make_route(release.app, release.name, release.routing, release.port, [])
    if route is None:
        return []
    return [
        f"{listener.scheme}://{domain}" + ("" if listener.host_port == 80 else f":{listener.host_port}")
        for domain in route.domains
        for listener in route.listeners
        if not domain.startswith("*.")
    ]
