"""The addresses an app answers at."""

from minipaas_lib import output
from minipaas_lib.model.release import Release
from minipaas_lib.model.route import make_route

_TOLD = 10  # addresses after a deploy


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


def tell(release: Release) -> None:
    """Print where a release that is live answers; or that it does not, since no web process of it runs."""
    found = urls(release)
    if found and release.formation.get("web"):
        for url in found[:_TOLD]:
            output.info(url)
        if len(found) > _TOLD:
            output.info(f"and {len(found) - _TOLD:,} more: urls {release.app}")
        return
    idle = idle_words(release)
    if idle:
        output.warn(idle)


def idle_words(release: Release) -> str:
    """What is to be said of a release of which nothing runs, or no web process; empty where all is as usual."""
    app, counts = release.app, release.formation
    if not any(counts.values()):
        kind = "web" if "web" in counts else next(iter(sorted(counts)), "web")
        kinds = ", ".join(f"{kind}=0" for kind in sorted(counts))
        return f"no process of {app} is running ({kinds}); to start one: ps:scale {app} {kind}=1"
    if not urls(release):
        return ""
    if "web" in counts and not counts["web"]:
        return f"no web process of {app} is running, so its domains answer 503; to start one: ps:scale {app} web=1"
    return "" if "web" in counts else f"{app} has no process type web, so its domains answer 503"
