"""The commands that a unit runs on its node, before it starts and before it stops, and one of the node's agent."""

import click

from minipaas_lib import api
from plugins.cluster.fleet import engine, units


@api.commands.command(
    "node:create",
    help="Make the container of a process on this node, unless it is there.\n\n\b\ne.g.: node:create blog_v3.web.1",
)
@click.argument("process")
def node_create(process):
    app, release, kind, index = _about(process)
    engine.scheduler().prepare(api.container_spec(api.release(app, release), kind, index))


@api.commands.command(
    "node:hand-over",
    help="Wait, where a process is being moved from this node, until it runs "
    "elsewhere.\n\n\b\ne.g.: node:hand-over blog_v3.web.1",
)
@click.argument("process")
def node_hand_over(process):
    app, *_ = _about(process)
    engine.scheduler().hand_over(app, process)


@api.commands.command(
    "node:catch-up", help="Have on this node the images that other nodes keep for its apps.\n\n\b\ne.g.: node:catch-up"
)
def node_catch_up():
    engine.scheduler().catch_up()


def _about(process: str) -> tuple[str, int, str, int]:
    found = units.process_of(units.unit_name(process))
    if found is None:
        said = f"{api.names.safe(process)} is not the name of a process"
        raise api.errors.UsageError(said, "one is called like blog_v3.web.1")
    return found
