import re

from minipaas_lib import dispatch
from plugins.cluster.head import node_image


def test_the_image_of_nodes_has_all_unpacked():
    """A command that gevent serves unpacks the libraries before it reads its words; others do when they need them."""
    [words] = re.findall(
        r"^RUN .*\bminipaas (node:.*) >/dev/null$", node_image.dockerfile("debian:12-slim"), re.MULTILINE
    )
    assert dispatch.needs_gevent(words.split())
