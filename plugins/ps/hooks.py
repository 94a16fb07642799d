"""Hooks of ps: container options and the report."""

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
        "ps-restart-policy": str(table.get("restart-policy", api.ContainerSpec.restart)).replace(
            "unless-stopped", "always"
        ),
        "ps-stop-timeout": table.get("stop-timeout", api.ContainerSpec.stop_timeout),
    }
    if live is None:
        return rows
    scheduler = api.scheduler()
    try:
        found = scheduler.processes(app.name)
        nodes = {
            node: api.kernel.engines.node_name(scheduler, node) for node in {process.node for process in found} - {""}
        }
        ends = {p.name: scheduler.diagnose(p, 1) for p in found if p.restarts or p.state in ("exited", "restarting")}
    except api.errors.Unavailable as error:
        return rows | {"running": f"unknown: {error.message}"}
    return rows | states(found, live, rows["processes"], nodes, ends)


def states(
    processes: list,
    live: "api.Release",
    wanted: int,
    nodes: dict[str, str],
    ends: "dict[str, api.Diagnosis] | None" = None,
) -> dict:
    """The rows about what runs: all of it, some or none, then each process by its type and index. Pure.

    `nodes` are what people call the nodes, by id; `ends` how processes ended last, by their names.
    """
    counting = [p for p in processes if p.release == (live.processes or live.number) and p.adopted]
    others = [p for p in processes if p not in counting]
    running = sum(p.state == "running" for p in counting)
    rows: dict[str, object] = {"running": "false" if not running else "true" if running >= wanted else "mixed"}
    for process in sorted(counting, key=lambda p: (p.process_type != "web", p.process_type, p.index)):
        end = (ends or {}).get(process.name)
        where = f" on {nodes[process.node]}" if process.node else ""
        place = f"{process.process_type}-{process.index}"
        rows[f"status-{place}"] = f"{state(process, end)} ({process.name}{where})"
        rows[f"restarts-{place}"] = process.restarts
        if process.started and process.state == "running":
            rows[f"running-since-{place}"] = api.kernel.live_processes.second(process.started)
        if end and end.exit_code is not None:
            rows |= {f"last-exit-code-{place}": end.exit_code, f"last-exit-out-of-memory-{place}": end.out_of_memory}
    if others:
        rows["not-live"] = [p.name for p in others]  # on their way out, or in
    return rows


def state(process: "api.Process", end: "api.Diagnosis | None") -> str:
    """What to say of one process, with what came before: a moment tells little of a process that comes and goes."""
    at = f" at {api.kernel.live_processes.second(process.ended)}" if process.ended else ""
    often = (
        f"restarted {process.restarts} time{'' if process.restarts == 1 else 's'} since "
        f"{api.kernel.live_processes.second(process.created)}"
    )
    if process.state == "exited" and end:
        return f"exited with {api.kernel.exit_reason(end)}{at}" + (f", {often}" if process.restarts else "")
    if end is None:
        return process.state
    return f"{process.state}, {often}, the last time after {api.kernel.exit_reason(end)}{at}"
