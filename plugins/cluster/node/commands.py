"""The commands that run on every node: its agent and router, and what its processes need before they start or stop."""

import os

import click

from minipaas_lib import api
from plugins.cluster import active_engine, names


@api.commands.command(
    "node:agent",
    help="Tell the cluster what runs on this node, and route requests, for ever.\n\n\b\ne.g.: node:agent --serve",
)
@click.option("--serve", is_flag=True, required=True, help="Go on until it is ended")
def node_agent(serve):
    from plugins.cluster.routes import loops

    loops.keep_running("starting", _work)


def _work() -> None:
    """Raises errors.Unavailable while fleet or etcd cannot be asked who we are."""
    from plugins.cluster.node import agent
    from plugins.cluster.transport import identity

    scheduler = active_engine.scheduler()
    here = scheduler.this_machine()

    def wanted() -> set[str]:
        return {process.name for process in scheduler.processes() if process.node in (here.id, "nowhere")}

    agent.serve(here.id, here.address, identity.files_of, wanted)


@api.commands.command("node:router", help="Run nginx on this node, in the foreground.\n\n\b\ne.g.: node:router")
def node_router():
    active_engine.router().local.install()
    os.execv("/usr/sbin/nginx", ["nginx", "-g", "daemon off;"])  # it takes our place


@api.commands.command(
    "node:create",
    help="Make the container of a process on this node, unless it is there.\n\n\b\ne.g.: node:create blog_v3.web.1",
)
@click.argument("process")
def node_create(process):
    app, release, kind, index = _parsed(process)
    active_engine.scheduler().prepare(api.kernel.container_spec(api.release(app, release), kind, index))


@api.commands.command(
    "node:hand-over",
    help="Wait, where a process is being moved from this node, until it runs "
    "elsewhere.\n\n\b\ne.g.: node:hand-over blog_v3.web.1",
)
@click.argument("process")
def node_hand_over(process):
    app, *_ = _parsed(process)
    active_engine.scheduler().hand_over(app, process)


@api.commands.command(
    "node:catch-up", help="Have on this node the images that other nodes keep for its apps.\n\n\b\ne.g.: node:catch-up"
)
def node_catch_up():
    active_engine.scheduler().catch_up()


def _parsed(process: str) -> tuple[str, int, str, int]:
    parts = names.process(process)
    if parts is None:
        message = f"{api.names.safe(process)} is not the name of a process"
        raise api.errors.UsageError(message, "one is called like blog_v3.web.1")
    return parts
