"""The user data of a CoreOS machine that is to be a node. Pure, but for asking etcd who its members are."""

import re
from typing import Any

from minipaas_lib import api
from plugins.cluster.transport import protocol

AGENT_TTL = "60s"  # as long as what agents tell lives: a short election of etcd then restarts nothing
NAME = "[a-z][a-z0-9-]{0,39}"
TAG = "[A-Za-z0-9_.-]{1,128}"


def parse_members(text: str) -> dict[str, str]:
    """The peer URLs of etcd by member in `node1=10.0.0.1,node2=10.0.0.2`. Raises errors.UsageError."""
    import ipaddress

    members = {}
    for part in text.split(","):
        name, _, address = part.strip().partition("=")
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            given = None
        if not re.fullmatch(NAME, name) or given is None or name in members:
            raise api.errors.UsageError(
                f"{api.names.safe(part)} does not name a member", "--members node1=10.0.0.1,node2=10.0.0.2"
            )
        members[name] = f"http://[{given}]:2380" if given.version == 6 else f"http://{given}:2380"
    return members


def parse_metadata(text: str) -> dict[str, str]:
    """`disk=ssd,zone=b` as a table. Raises errors.UsageError."""
    metadata = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if not re.fullmatch(TAG, key) or not re.fullmatch(TAG, value) or key == "node" or key in metadata:
            raise api.errors.UsageError(f"{api.names.safe(part)} cannot be metadata", "--metadata disk=ssd,zone=b")
        metadata[key] = value
    return metadata


def known_members() -> dict[str, str]:
    """The members that the etcd of this cluster tells of. Raises errors.UsageError without a cluster."""
    cluster = api.kernel.cluster.settings()
    if cluster is None:
        raise api.errors.UsageError(
            "this host does not belong to a cluster, so the members of etcd must be given",
            "--members node1=10.0.0.1,node2=10.0.0.2,node3=10.0.0.3",
        )
    return members_in(_ask(cluster))


def members_in(answer: Any) -> dict[str, str]:
    """The members in etcd's answer to /v2/members. Raises errors.Unavailable for what is none."""
    try:
        members = {str(member["name"]): str(member["peerURLs"][0]) for member in answer["members"]}
    except (KeyError, IndexError, TypeError):
        members = {}
    if not members or not all(re.fullmatch("[A-Za-z0-9._-]{1,64}", name) for name in members):
        raise api.errors.Unavailable("etcd does not list its members", "cluster:status")
    if not all(api.kernel.cluster.is_etcd_url(url) for url in members.values()):
        raise api.errors.Unavailable("etcd lists a member without an address", "cluster:status")
    return members


def _ask(cluster: "api.kernel.cluster.ClusterSettings") -> Any:
    import json
    import urllib.request

    from plugins.cluster.head import clock

    tls, why = clock.context(cluster), ""
    for url in cluster.etcd:
        try:
            with urllib.request.urlopen(f"{url}/v2/members", timeout=5, context=tls) as answer:  # http or https
                return json.loads(answer.read(1 << 20))
        except (OSError, ValueError) as error:
            why = f"{url}: {error}"
    raise api.errors.Unavailable(f"no member of etcd answers ({why})", "cluster:status")


def text(node: str, members: dict[str, str], metadata: dict[str, str]) -> str:
    """The user data for `node`. Raises errors.UsageError for a name that no node can have."""
    if not re.fullmatch(NAME, node):
        raise api.errors.UsageError(f"{api.names.safe(node)} cannot be the name of a node", "--node node1")
    pairs = ",".join(f"{key}={value}" for key, value in {"node": node, **metadata}.items())
    # Its own first, and the others for when that one is away: fleet on this node goes on without it.
    asked = ",".join(dict.fromkeys(["http://127.0.0.1:2379", *map(_client, members.values())]))
    return _HEAD.format(
        node=node,
        etcd=_etcd(node, members),
        asked=asked,
        metadata=pairs,
        ttl=AGENT_TTL,
        agent_port=protocol.AGENT_PORT,
        head_port=protocol.HEAD_PORT,
    )


def _client(peer: str) -> str:
    """Where the member of that peer URL answers clients."""
    return re.sub(r"(:[0-9]+)?/?$", ":2379", peer, count=1)


def _etcd(node: str, members: dict[str, str]) -> str:
    """The lines of etcd2: a member's, or those of a proxy on a node that keeps no state."""
    cluster = ",".join(f"{name}={url}" for name, url in members.items())
    lines = [f'name: "{node}"', f'initial-cluster: "{cluster}"']
    if node in members:
        peer = members[node]
        lines += [
            'initial-cluster-state: "new"',
            f'initial-advertise-peer-urls: "{peer}"',
            f'listen-peer-urls: "{peer}"',
            f'advertise-client-urls: "{_client(peer)}"',
        ]
    else:
        lines += ['proxy: "on"']
    lines += ['listen-client-urls: "http://0.0.0.0:2379"']
    return "\n".join("    " + line for line in lines)


_HEAD = """\
#cloud-config
# A node of a minipaas cluster. etcd and fleet are open to the whole network here, and who reaches either is root on
# every node: keep the ports 2379, 2380, {agent_port}, {head_port} and 49153 to the cluster's own network.
hostname: "{node}"
coreos:
  etcd2:
{etcd}
  fleet:
    public-ip: "$private_ipv4"
    metadata: "{metadata}"
    agent-ttl: "{ttl}"
    etcd-servers: "{asked}"
    etcd-request-timeout: 3
  update:
    reboot-strategy: "etcd-lock"
  units:
    - name: docker.service
      command: start
      enable: true
    - name: etcd2.service
      command: start
      enable: true
    - name: fleet.socket
      command: start
      enable: true
      drop-ins:
        - name: 30-minipaas.conf
          content: |
            [Socket]
            ListenStream=$private_ipv4:49153
    - name: fleet.service
      command: start
      enable: true
"""
