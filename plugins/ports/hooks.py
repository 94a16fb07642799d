"""The listeners of an app's route, if ports were mapped, and whether visitors can reach them."""

from minipaas_lib import api
from plugins.ports import state


@api.hookimpl
def route_context(app):
    mappings = state.chosen(app)
    return {"listeners": [list(mapping) for mapping in mappings]} if mappings else None


@api.hookimpl
def report(app):
    return state.rows(app)


@api.hookimpl
def doctor(app):
    mapped = [mapping.host_port for mapping in state.chosen(app)] if app else []
    found = barriers(mapped)
    return [api.Finding(f"app {app.name}: ports", not b.nobody, b.said, f"as root: {b.fix}") for b in found] or None


def barriers(ports: list[int]) -> list:
    """What this host's firewall does to connections to the ports; nothing if that cannot be read."""
    try:
        return api.kernel.firewall.barriers(ports) if ports else []
    except api.kernel.firewall.Unreadable:
        return []
