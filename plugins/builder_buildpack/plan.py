"""What docker is asked for by a build, as command lines. Pure: nothing here talks to docker."""

import json
import re

from minipaas_lib import api

UID = 32767  # of the app's user in build and run containers, and of its group; Heroku's images leave it free
USER = f"{UID}:{UID}"
HERE = "/minipaas"
LAUNCHER = f"{HERE}/launch"
BUSYBOX = f"{HERE}/busybox"
BUILD = f"{HERE}/build"  # a volume: buildpacks, config and settings stay out of the image
CACHE = f"{HERE}/cache"  # a volume of the app's own
PIDS_LIMIT = 4096
CPU_SHARES = 256  # a quarter of what a running app gets where both want all
BUILD_LABEL = api.kernel.labels.BUILD
OWNER_LABEL = api.kernel.labels.OWNER
CACHE_LABEL = "minipaas.buildpack-cache"


def tag_of(app: str, number: int) -> str:
    return f"minipaas/{app}:v{number}"


def container_of(app: str) -> str:
    """The name of the app's build container; no app's name has a `_`, so no process has it."""
    return f"{app}_buildpacks"


def cache_of(app: str) -> str:
    """The name of the volume with the app's cache."""
    return f"minipaas-buildpack-cache-{app}"


def create(app: str, image: str, stack: str, owner: str, memory: int) -> list[str]:
    """`docker create` of the build container. Nothing secret is in it: docker shows it to all who may ask.

    memory: bytes, 0 is no limit. /tmp and the folder of the build are volumes that go with the container.
    """
    words = [
        "create",
        "--name",
        container_of(app),
        "--init",
        "--user",
        USER,
        "--workdir",
        "/app",
        "--network",
        "bridge",
    ]
    for name, value in api.kernel.labels.complete({BUILD_LABEL: app, OWNER_LABEL: owner}).items():
        words += ["--label", f"{name}={value}"]
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--log-driver", "none"]
    words += ["--pids-limit", str(PIDS_LIMIT), "--cpu-shares", str(CPU_SHARES), "--no-healthcheck"]
    words += ["--memory", str(memory), "--memory-swap", str(memory)] if memory else []
    words += ["--env", "HOME=/app", "--env", f"STACK={stack}"]
    words += ["--mount", "type=volume,target=/tmp", "--mount", f"type=volume,target={BUILD}"]
    words += ["--mount", f"type=volume,source={cache_of(app)},target={CACHE}"]
    return [*words, "--entrypoint", "/bin/sh", image, f"{BUILD}/drive"]


def commit(app: str, commit: str, number: int, packs: list[str], variables: dict[str, str]) -> list[str]:
    """`docker commit` of the build container: the image, complete and named in one step."""
    known = api.kernel.labels
    own = {known.APP: app, known.COMMIT: commit, known.LAUNCHER: LAUNCHER, known.BUILDER: "buildpack"}
    labels = known.complete(own | {known.BUILDPACKS: " ".join(packs)})
    changes = [f"LABEL {quoted(name)}={quoted(value)}" for name, value in labels.items()]
    changes += [f"ENV {name}={quoted(value)}" for name, value in sorted(variables.items())]
    changes += [f"ENTRYPOINT {json.dumps([LAUNCHER])}", 'CMD ["/bin/sh"]', "WORKDIR /app", f"USER {USER}"]
    words = ["commit"]
    for change in changes:
        words += ["--change", change]
    return [*words, container_of(app), tag_of(app, number)]


def quoted(text: str) -> str:
    """Text as one word of a Dockerfile instruction, in which nothing is expanded."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'
