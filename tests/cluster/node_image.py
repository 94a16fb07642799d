"""The minipaas image of nodes, made here: the program bundled from this checkout, on a Debian with Python and nginx."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from minipaas_lib import api
from plugins.cluster import image
from tests.cluster import nodes

HOUSE = Path(__file__).parents[2]
PACKAGES = "busybox-static,ca-certificates,nginx-light,python3"


def base() -> str:
    """A Debian that has what the image asks for, made once (about 30 s): nodes' builds reach no registry here."""
    tag = "mpc-base:" + hashlib.sha256(PACKAGES.encode()).hexdigest()[:12]
    if nodes.docker("images", "-q", tag).strip():
        return tag
    make = shutil.which("mmdebstrap")
    if not make:
        raise nodes.Failed("mmdebstrap is missing: apt-get install mmdebstrap")
    trims = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale", "info")]
    command = [make, "--mode=root", "--variant=apt", *trims, f"--include={PACKAGES}", "bookworm", "-"]
    done = subprocess.run(command, capture_output=True, timeout=400)
    if done.returncode:
        raise nodes.Failed(f"no base image could be made: {done.stderr.decode(errors='replace')[-2000:]}")
    nodes.docker("import", "-", tag, data=done.stdout, timeout=120)
    return tag


def make(folder: Path, found: "api.cluster.ClusterSettings", name: str = "mpc-minipaas:1") -> str:
    """Build the image of nodes whose cluster is `found`, in an empty folder; its name."""
    bundle = [sys.executable, str(HOUSE / "minipaas_lib" / "bundle.py"), "--out", str(folder / "minipaas")]
    subprocess.run(bundle, check=True, timeout=300, cwd=HOUSE)
    (folder / "cluster.toml").write_text(image.cluster_file(found, "unix:///run/fleet.sock"))
    (folder / "Dockerfile").write_text(image.dockerfile(base()))
    nodes.docker("build", "-q", "-t", name, str(folder), timeout=300)
    return name
