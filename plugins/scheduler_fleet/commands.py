"""The command that a unit runs on its node before it starts."""

import click

from minipaas_lib import api
from plugins.scheduler_fleet import units


@api.commands.command("node:create", help="Make the container of a process on this node, unless it is there.\n\n\b\n"
                                          "e.g.: node:create blog_v3.web.1")  # fmt: skip
@click.argument("process")
def node_create(process):
    about = units.process_of(units.unit_name(process))
    if about is None:
        raise api.errors.UsageError(
            f"{api.names.safe(process)} is not the name of a process", "node:create blog_v3.web.1"
        )
    app, release, kind, index = about
    api.scheduler().prepare(api.container_spec(api.release(app, release), kind, index))
