"""Where the settings of processes meet a release, and a report."""

from minipaas_lib import api
from plugins.ps import settings


@api.hookimpl
def container_options(app):
    table = app.table(settings.TABLE)
    options = {"stop_timeout": table.get("stop-timeout"), "restart": table.get("restart-policy")}
    return {name: value for name, value in options.items() if value is not None} or None


@api.hookimpl
def report(app):
    """What is wanted of the app's processes and, where it was ever deployed, what runs."""
    live = api.live_release(app.name)
    table = app.table(settings.TABLE)
    rows = {
        "deployed": live is not None,
        "live": live.name if live else "",
        "processes": sum(live.formation.values()) if live and not app.stopped else 0,
        "running": "false",
        "ps-restart-policy": str(table.get("restart-policy", api.ContainerSpec.restart)).replace("unless-stopped", "always"),
        "ps-stop-timeout": table.get("stop-timeout", api.ContainerSpec.stop_timeout),
    }
    if live is None:
        return rows
    scheduler = api.scheduler()
    try:
        found = scheduler.processes(app.name)
        nodes = {node: getattr(scheduler, "node_name", str)(node) for node in {process.node for process in found} - {""}}
    except api.errors.Unavailable as error:
        return rows | {"running": f"unknown: {error.message}"}
    return rows | states(found, live, rows["processes"], nodes)


def states(processes: list, live: "api.Release", wanted: int, nodes: dict[str, str]) -> dict:
    """The rows about what runs: all of it, some or none, then each process by its type and index. Pure.

    `nodes` are what people call the nodes, by id.
    """
    counting = [p for p in processes if p.release == (live.processes or live.number) and p.adopted]
    others = [p for p in processes if p not in counting]
    running = sum(p.state == "running" for p in counting)
    rows = {"running": "false" if not running else "true" if running >= wanted else "mixed"}
    for process in sorted(counting, key=lambda p: (p.process_type != "web", p.process_type, p.index)):
        ended = f" with exit code {process.exit_code}" if process.state == "exited" else ""
        where = f" on {nodes[process.node]}" if process.node else ""
        rows[f"status-{process.process_type}-{process.index}"] = f"{process.state}{ended} ({process.name}{where})"
    if others:
        rows["not-live"] = [p.name for p in others]  # on their way out, or in
    return rows
