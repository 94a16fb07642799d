"""The commands that grow one host to a cluster, look at it, and go back."""

import click

from minipaas_lib import api
from plugins.cluster import active_engine

FLEET = "unix:///var/run/fleet.sock"


@api.commands.command("cluster:init")
@click.option(
    "--etcd", default="", metavar="URL[,URL...]", help="The addresses of etcd's members, as nodes reach them too"
)
@click.option(
    "--fleet", default=FLEET, metavar="URL[,URL...]", help=f"Where fleet answers: {FLEET} or http://host:port"
)
@click.option("--ca", default="", metavar="FILE", help="The certificate authority of etcd, below /etc/minipaas")
@click.option("--cert", default="", metavar="FILE", help="The certificate that etcd asks of us, below /etc/minipaas")
@click.option("--key", default="", metavar="FILE", help="Its key, below /etc/minipaas")
@click.option("--address", default="", metavar="IP", help="The address at which nodes reach this host")
@click.option("--base", default="", metavar="IMAGE", help="What the image of nodes is built from (debian:12-slim)")
@click.option("--check", is_flag=True, help="Only check whether everything is ready")
def cluster_init(etcd, fleet, ca, cert, key, address, base, check):
    """Bring this host and its apps into a cluster. No request fails meanwhile.

    First every part is looked at, and nothing is changed unless all is well. Each app moves as in an ordinary restart:
    its new processes serve before the old ones go. If the command is interrupted, give it again without options, or
    cluster:leave to go back. On a host of a cluster it brings nodes what they lack.

    \b
    e.g.: cluster:init --etcd http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379 --fleet http://10.0.0.1:49153
          cluster:init --check --etcd http://10.0.0.1:2379
          cluster:init
    """
    from plugins.cluster.head import head_registry, init, preflight

    cluster = init.settings(etcd, fleet, ca, cert, key)
    machines = init.machines_of(cluster)
    _show(preflight.findings(init.look(cluster, machines)))
    if check:
        return
    base, address = init.choices(cluster, base, address)
    init.prepare(cluster, machines, base, address)
    init.switch(cluster)
    init.move(cluster)
    head_registry.register(api.kernel.store(), address)
    api.output.step("This host is the head of a cluster. Look at it with: cluster:status")


def _show(findings) -> None:
    """Print what was found. Raises errors.Unavailable where something is wrong."""
    api.output.step("Checking all parts")
    wrong = [finding for finding in findings if not finding.ok]
    for finding in findings:
        (api.output.info if finding.ok else api.output.warn)(f"{finding.part}: {finding.said}")
        if finding.fix:
            api.output.info(f"    {finding.fix}")
    if wrong:
        raise api.errors.Unavailable(f"{len(wrong)} of {len(findings)} checks failed", wrong[0].fix)


@api.commands.command("cluster:join-head")
@click.option("--etcd", default="", metavar="URL[,URL...]", help="The addresses of the cluster's etcd")
@click.option(
    "--fleet", default=FLEET, metavar="URL[,URL...]", help=f"Where fleet answers: {FLEET} or http://host:port"
)
@click.option("--ca", default="", metavar="FILE", help="The certificate authority of etcd, below /etc/minipaas")
@click.option("--cert", default="", metavar="FILE", help="The certificate that etcd asks of us, below /etc/minipaas")
@click.option("--key", default="", metavar="FILE", help="Its key, below /etc/minipaas")
@click.option("--address", default="", metavar="IP", help="The address at which other heads reach this host")
@click.option("--check", is_flag=True, help="Only check whether everything is ready")
def cluster_join_head(etcd, fleet, ca, cert, key, address, check):
    """Make this host, which has no apps of its own, another head of a cluster.

    All commands and pushes may then come to either: the keys, the apps and their locks are the same, and each fetches
    commits from the other. This host's nginx answers for every app. If the command is interrupted, give it again.

    \b
    e.g.: cluster:join-head --etcd http://10.0.0.1:2379,http://10.0.0.2:2379 --fleet http://10.0.0.1:49153
          cluster:join-head --check --etcd http://10.0.0.1:2379
    """
    from plugins.cluster.head import init, join_head, node_image_delivery, preflight

    cluster = init.settings(etcd, fleet, ca, cert, key)
    facts = init.look(cluster, init.machines_of(cluster))
    quorum = sum(member.serves for member in facts.members) * 2 > len(facts.members)
    ours = join_head.findings(cluster) if quorum else []
    _show([*preflight.findings(facts._replace(owner="", frozen={}, interrupted={})), *ours])
    if check:
        return
    join_head.join(cluster, address or node_image_delivery.own_address(cluster.etcd))
    api.output.step("This host is a head of the cluster. Look at it with: cluster:status")


@api.commands.command("cluster:renew-certificates")
def cluster_renew_certificates():
    """Give the cluster a new authority and new certificates, while all goes on.

    By them heads and agents know each other; etcd's are none of these. First every node trusts both authorities, then
    all show certificates of the new one, then the former is trusted no more; nothing is restarted. After an upgrade
    cluster:init comes first: agents of before cannot do this. If the command is interrupted, give it again.

    \b
    e.g.: cluster:renew-certificates
    """
    from plugins.cluster.head import certificate_renewal

    if active_engine.settings().moving:
        raise api.errors.Conflict("apps are being moved between this host and the cluster", "cluster:status")
    certificate_renewal.renew(api.kernel.store(), active_engine.scheduler().machines)
    api.output.step("All nodes and heads use new certificates")


@api.commands.command(
    "cluster:reach",
    help="Join standard input and output to git on another head.\n\n\b\ne.g.: cluster:reach 10.0.0.9 blog",
)
@click.argument("address", metavar="<ip>")
@api.commands.app_argument
def cluster_reach(address, app):
    from plugins.cluster.transport import git_client

    git_client.reach(address, app)


@api.commands.command(
    "cluster:catch-up",
    help=(
        "Have on this host what other heads have changed.\n\n\b\ne.g.: cluster:catch-up\n      cluster:catch-up --keys"
    ),
)
@click.option("--keys", is_flag=True, help="Also whom sshd lets in")
def cluster_catch_up(keys):
    from plugins.cluster.head import join_head

    if api.kernel.cluster.settings() is not None:
        join_head.catch_up(keys)


@api.commands.command(
    "node:follow",
    help="Route requests on a head of a cluster as its nodes do, while it is one.\n\n\b\ne.g.: node:follow --serve",
)
@click.option("--serve", is_flag=True, required=True, help="Go on until this host leaves the cluster")
def node_follow(serve):
    from plugins.cluster.head import route_follower

    route_follower.serve()


@api.commands.command("cluster:leave")
def cluster_leave():
    """Bring the apps of the cluster back to this one host. No request that comes to this host fails meanwhile.

    Where other heads stay, this host only steps out: no app is moved, and its nginx answers for none any more. Else
    have all domains lead to this host first: an app that has moved is no longer answered for by the nodes. If the
    command is interrupted, give it again.

    \b
    e.g.: cluster:leave
    """
    from plugins.cluster.head import leave

    if api.kernel.cluster.settings() is None and not leave.is_begun():
        raise api.errors.UsageError("this host does not belong to a cluster", "cluster:init --etcd URL[,URL...]")
    leave.leave()
    api.output.step("This host is on its own again")


@api.commands.command("cluster:status")
@api.commands.format_option
def cluster_status(format):
    """Report etcd's members, the nodes, what their routers have applied, and what is wrong.

    \b
    e.g.: cluster:status
          cluster:status --format json
    """
    from plugins.cluster.head import status

    report = status.status()
    api.commands.print_json(report) if format == "json" else status.show(report)


@api.commands.command("cluster:drain")
@click.argument("node", metavar="<node>")
def cluster_drain(node):
    """Have nothing run on a node: what runs there starts elsewhere first. Its router goes on.

    \b
    e.g.: cluster:drain node2
    """
    from plugins.cluster.head import node_drain

    active_engine.settings()
    machine = node_drain.find(node)
    node_drain.drain(machine)
    api.output.step(
        f"Nothing is running on {machine.metadata.get('node', machine.id[:8])} any more; it can be shut down"
    )


@api.commands.command("cluster:undrain")
@click.argument("node", metavar="<node>")
def cluster_undrain(node):
    """Let processes be started on a node again. Those that run elsewhere stay there until they are next replaced.

    A machine that cluster:remove took away, and that fleet hears of, becomes a node again.

    \b
    e.g.: cluster:undrain node2
    """
    from plugins.cluster.head import node_drain, node_removal

    active_engine.settings()
    machine = node_drain.find(node)
    if machine in active_engine.scheduler().machines.expelled():
        node_removal.bring_back(machine)
    node_drain.undrain(machine)
    api.output.step(f"{machine.metadata.get('node', machine.id[:8])} accepts processes again")


@api.commands.command("cluster:remove")
@click.argument("node", metavar="<node>")
def cluster_remove(node):
    """Make a machine no node any more: what runs there starts elsewhere first, then all that is ours goes from it.

    A node that is lost for good, which fleet does not hear of, is forgotten; so is a head that is lost. The last node
    stays: see cluster:leave.
    cluster:undrain makes a machine that still works a node again.

    \b
    e.g.: cluster:remove node2
    """
    from plugins.cluster.head import head_registry, node_removal

    active_engine.settings()
    if node in head_registry.others(api.kernel.store()):
        head_registry.forget(node)
        api.output.step(f"{node} is no longer a head of this cluster")
        return
    api.output.step(f"{node_removal.remove(node)} is no longer a node of this cluster")


@api.commands.command("cluster:cloud-config")
@click.option("--node", default="node1", metavar="NAME", help="What the node is called")
@click.option(
    "--members", default="", metavar="NAME=IP[,NAME=IP...]", help="The nodes that keep etcd, this one maybe among them"
)
@click.option("--metadata", default="", metavar="KEY=VALUE[,...]", help="What tags:set can ask for")
def cluster_cloud_config(node, members, metadata):
    """Print the user data with which a CoreOS machine boots as a node: docker, etcd with its v2 API, fleet.

    A node named in --members keeps etcd; any other reaches the members' etcd through a proxy. On a cluster, --members
    may be left out: those that etcd tells of are taken. Our own parts come to a node through fleet; to bring them to a
    node that joins later, give cluster:init again.

    \b
    e.g.: cluster:cloud-config --node node1 --members node1=10.0.0.1,node2=10.0.0.2,node3=10.0.0.3
          cluster:cloud-config --node node4 --metadata disk=ssd
    """
    from plugins.cluster.head import cloud_config

    chosen = cloud_config.parse_members(members) if members else cloud_config.known_members()
    api.output.exact(cloud_config.text(node, chosen, cloud_config.parse_metadata(metadata)).rstrip("\n"))
