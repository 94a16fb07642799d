"""Names that heads, nodes and engines share: of processes, of our containers on nodes, of documents in the store."""

import re

from minipaas_lib import api

AGENT, ROUTER = "minipaas-agent", "minipaas-router"  # our containers on every node, and their units
MARK = "minipaas"  # the metadata by which one machine is told from all others: its id

# Documents that an engine reads too
IMAGE = "cluster/image.toml"  # name: the image that nodes are to run, made from base; done: the machines that do
DRAINED = "cluster/drained.toml"  # nodes: the ids of machines that nothing is to be started on

_PROCESS = re.compile(rf"({api.names.APP_NAME})_v([1-9][0-9]{{0,8}})\.({api.names.PROCESS_TYPE})\.([1-9][0-9]{{0,8}})")


def process(name: str) -> tuple[str, int, str, int] | None:
    """(app, release, process type, index) of `blog_v3.web.1`; None for what is not the name of a process."""
    match = _PROCESS.fullmatch(name)
    if not match:
        return None
    groups = match.groups()
    app, release, process_type, index = groups[0], groups[-3], groups[-2], groups[-1]
    return app, int(release), process_type, int(index)
