"""The images that the tests make of Debian's packages, when they are first asked for. To have them made before that:

MINIPAAS_IMAGES=FOLDER python -m tests.cluster.images NAME...
"""

import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import debian
from tests.cluster.outer import Failed

HERE = Path(__file__).parent
Get = Callable[..., Any]  # debian.image, which returns the tag, or debian.save


def host(get: Get = debian.image):
    """A host: all packages that minipaas and its host tests want, and systemd. Raises Failed."""
    packages = (HERE / "host_image/packages").read_text()
    if release() != "bookworm":  # docker's client was split off
        packages += "docker-cli\ndocker-buildx\n"
    return get("mpc-host", packages, HERE / "host_image/customize", release())


def node(get: Get = debian.image):
    """A node of a cluster. Raises Failed."""
    return get("mpc-node", (HERE / "image/packages").read_text(), HERE / "image/customize")


def base(get: Get = debian.image):
    """What minipaas's image of nodes is built on: nodes' builds reach no registry here. Raises Failed."""
    return get("mpc-base", "busybox-static ca-certificates nginx-light python3")


def stack(get: Get = debian.image):
    """A stack for buildpacks. Raises Failed."""
    return get("minipaas-test/stack", "ca-certificates curl git nodejs npm python3 python3-venv")


def release() -> str:
    """The Debian of a host: that of this machine, if it is one."""
    about = platform.freedesktop_os_release()
    return about["VERSION_CODENAME"] if about.get("ID") == "debian" else "bookworm"


ALL = {"host": host, "node": node, "base": base, "stack": stack}

if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            ALL[name](debian.save)
    except (Failed, KeyError) as error:
        sys.exit(f"{error}\n{__doc__}")
