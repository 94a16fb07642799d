"""The URLs of an app."""

from minipaas_lib import output
from minipaas_lib.model.release import Release
from minipaas_lib.model.route import make_route

_SHOWN = 10  # addresses after a deploy


def urls(release: Release) -> list[str]:
    """All URLs of a release, without wildcards; empty if it is not routed."""
    route = make_route(release.app, release.name, release.routing, release.port, [])
    if route is None:
        return []
    return [
        f"{listener.scheme}://{domain}" + ("" if listener.host_port == 80 else f":{listener.host_port}")
        for domain in route.domains
        for listener in route.listeners
        if not domain.startswith("*.")
    ]


def print_urls(release: Release) -> None:
    """Print the URLs of a live release, or a warning that no web process of it runs."""
    addresses = urls(release)
    if addresses and release.formation.get("web"):
        for url in addresses[:_SHOWN]:
            output.info(url)
        if len(addresses) > _SHOWN:
            output.info(f"and {len(addresses) - _SHOWN:,} more: urls {release.app}")
        return
    idle = idle_words(release)
    if idle:
        output.warn(idle)


def idle_words(release: Release) -> str:
    """A warning about a release without running processes, or without web processes; empty otherwise."""
    app, counts = release.app, release.formation
    if not any(counts.values()):
        process_type = "web" if "web" in counts else next(iter(sorted(counts)), "web")
        listing = ", ".join(f"{process_type}=0" for process_type in sorted(counts))
        return f"no process of {app} is running ({listing}); to start one: ps:scale {app} {process_type}=1"
    if not urls(release):
        return ""
    if "web" in counts and not counts["web"]:
        return f"no web process of {app} is running, so its domains answer 503; to start one: ps:scale {app} web=1"
    return "" if "web" in counts else f"{app} has no process type web, so its domains answer 503"
