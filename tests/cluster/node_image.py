"""The minipaas image of nodes, made here: the program bundled from this checkout, on a Debian with Python and nginx."""

import subprocess
import sys
from pathlib import Path

from minipaas_lib import api
from plugins.cluster.head import node_image
from tests.cluster import images, nodes

HOUSE = Path(__file__).parents[2]


def make(folder: Path, found: "api.kernel.cluster.ClusterSettings", name: str = "mpc-minipaas:1") -> str:
    """Build the image of nodes whose cluster is `found`, in an empty folder; its name."""
    bundle = [sys.executable, str(HOUSE / "minipaas_lib" / "bundle.py"), "--out", str(folder / "minipaas")]
    subprocess.run(bundle, check=True, timeout=300, cwd=HOUSE)
    (folder / "cluster.toml").write_text(node_image.cluster_file(found, "unix:///run/fleet.sock"))
    (folder / "Dockerfile").write_text(node_image.dockerfile(images.base()))
    nodes.docker("build", "-q", "-t", name, str(folder), timeout=300)
    return name
