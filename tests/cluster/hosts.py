"""Hosts of their own for the host tests: containers of this machine's docker, with systemd and a docker of their own.

    python -m tests.cluster.hosts up GROUP NAME FOLDER OWNER   FOLDER is the same inside; OWNER is the pid it ends with
    python -m tests.cluster.nodes down GROUP

A host has this checkout at /root/minipaas, and this environment of the tests where its Debian is that of this machine.
"""

import os
import sys
import time
from pathlib import Path

from tests.cluster import images, nodes
from tests.cluster.outer import Failed, docker

HERE = Path(__file__).parent
HOUSE = HERE.parents[1]
START_LIMIT = 120  # seconds; 5 where the machine has nothing else to do


def up(group: str, name: str, folder: str, owner: int) -> str:
    """Start a host; its container. Raises Failed."""
    nodes.prepare_host()
    container = f"mpc-{group}-{name}"
    environment = Path(sys.prefix)
    mounts = [f"{HOUSE}:/checkout:ro", f"{folder}:{folder}", f"{HERE / 'host_image/init'}:/sbin/test-init:ro"]
    mounts += ["/etc/ssl/certs:/etc/ssl/certs:ro", f"{environment}:/tmp/{environment.name}:ro", "/var/lib/docker"]
    mounts += ["/etc/pip.conf:/etc/pip.conf:ro"] if os.path.exists("/etc/pip.conf") else []
    docker(
        *("run", "-d", "--name", container, "--hostname", name, "--stop-signal=SIGRTMIN+3"),
        *("--label", f"{nodes.LABEL}={group}", "--label", nodes.owner_label(owner)),
        *nodes.PRIVILEGES,
        *("--tmpfs=/run:exec,mode=755", "--tmpfs=/run/lock"),
        *(f"--volume={mount}" for mount in mounts),
        *(images.host(), "/sbin/test-init"),
    )
    end = time.monotonic() + START_LIMIT
    while docker("exec", container, "systemctl", "is-system-running", check=False).strip() not in (
        "running",
        "degraded",
    ):
        if time.monotonic() > end:
            raise Failed(f"{container} does not come up: {docker('logs', '--tail', '20', container, check=False)}")
        time.sleep(0.3)
    return container


def main(words: list[str]) -> None:
    if len(words) != 5 or words[0] != "up":
        sys.exit(__doc__)
    try:
        print(up(words[1], words[2], words[3], int(words[4])))
    except Failed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
