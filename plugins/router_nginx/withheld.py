"""The files of apps that own names but are not routed: they have one only if another app's wildcard would answer."""

from plugins.router_nginx import files, owned, render
from plugins.router_nginx.host import Host


def text(host: Host, app: str, state: str, names: list[str]) -> str:
    """The text of the file of such an app; empty if it needs none."""
    return _text(host, app, state, names, _ports(host, owned.covering(host, app, names)))


def beside(host: Host, app: str, ports: set[int], wildcards: list[str]) -> dict[str, str | None]:
    """The files of other such apps, by path, once an app has these wildcards on these ports; None: to be removed."""
    found: dict[str, str | None] = {}
    former = [name for name in owned.of(host, app) if name.startswith("*.")]
    for other in owned.withheld_below(host, app, [*wildcards, *former]):
        path, names = files.app_path(host, other), owned.of(host, other)
        present = files.read(path)
        if present is not None and files.generation_of(present) not in owned.STATES:
            continue  # it is routed, and a kill came before its names could tell
        needed = _ports(host, owned.covering(host, other, names) - {app})
        if any(owned.is_below(name, wildcards) for name in names):
            needed |= ports
        found[path] = _text(host, other, owned.state_of(host, other), names, needed) or None
    return found


def _text(host: Host, app: str, state: str, names: list[str], ports: set[int]) -> str:
    return render.withheld_file(app, state, names, ports, host.place) if ports and names else ""


def _ports(host: Host, apps: set[str]) -> set[int]:
    """The ports of the host that these apps answer on."""
    return {port for app in apps for port in files.ports_of(files.head(host, app))}
