"""The commands that the units of every node run."""

import os

import click

from minipaas_lib import api
from plugins.cluster.node import engines


@api.commands.command(
    "node:agent",
    help="Tell the cluster what runs on this node, and route requests, for ever.\n\n\b\ne.g.: node:agent --serve",
)
@click.option("--serve", is_flag=True, required=True, help="Go on until it is ended")
def node_agent(serve):
    from plugins.cluster.node import agent

    agent.again("starting", _work)


def _work() -> None:
    """Raises errors.Unavailable while fleet or etcd cannot be asked who we are."""
    from plugins.cluster.node import agent
    from plugins.cluster.transport import identity

    scheduler = engines.scheduler()
    here = scheduler.this_machine()

    def wanted() -> set[str]:
        return {process.name for process in scheduler.processes() if process.node in (here.id, "nowhere")}

    agent.serve(here.id, here.address, identity.files_of, wanted)


@api.commands.command("node:router", help="Run nginx on this node, in the foreground.\n\n\b\ne.g.: node:router")
def node_router():
    engines.router().local.install()
    os.execv("/usr/sbin/nginx", ["nginx", "-g", "daemon off;"])  # it takes our place


@api.commands.command(
    "node:follow",
    help="Route requests on a head of a cluster as its nodes do, while it is one.\n\n\b\ne.g.: node:follow --serve",
)
@click.option("--serve", is_flag=True, required=True, help="Go on until this host leaves the cluster")
def node_follow(serve):
    from plugins.cluster.head import route_follower

    route_follower.serve()
