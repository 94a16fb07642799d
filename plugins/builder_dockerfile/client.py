"""Which docker client builds, and whether it can use BuildKit.

A client from 23.0 on builds with BuildKit only through its buildx plugin; older ones have it built in.
"""

import contextlib
import os
import re
import subprocess
from typing import NamedTuple

from minipaas_lib import api

_BUILTIN_BELOW = 23  # major version
_PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


class Client(NamedTuple):
    path: str
    buildkit: bool


def find() -> Client:
    """The first docker client that can use BuildKit, else the first there is. Raises errors.Unavailable for none."""
    found = [Client(path, _can_buildkit(path)) for path in candidates(os.environ.get("PATH", ""))]
    if not found:
        raise api.errors.Unavailable(
            "there is no docker client on this host", "on the host: sudo apt-get install docker.io"
        )
    return next((client for client in found if client.buildkit), found[0])


def candidates(path: str) -> list[str]:
    """The docker clients of the host: Debian's own first, then those on PATH, each once."""
    folders = ["/usr/bin", *(folder for folder in path.split(os.pathsep) if os.path.isabs(folder))]
    found = [os.path.join(folder, "docker") for folder in dict.fromkeys(folders)]
    return [file for file in found if os.path.isfile(file) and os.access(file, os.X_OK)]


def buildkit_is_builtin(version: str) -> bool | None:
    """From the words of `docker --version`: True, False (it needs buildx), or None if it is not a docker client."""
    major = re.search(r"^Docker version (\d+)\.", version)
    return int(major[1]) < _BUILTIN_BELOW if major else None


def _can_buildkit(path: str) -> bool:
    """Ask the client, once: the answer is kept until the client or its buildx plugin changes."""
    stamp = " ".join(_stamp(file) for file in [path, *_buildx_files()])
    kept = api.paths.cache("docker-client" + path.replace("/", "-"))
    with contextlib.suppress(OSError, ValueError), open(kept, encoding="utf-8") as file:
        former, _, kind = file.read().rpartition("\n")
        if former == stamp:
            return kind == "buildkit"
    builtin = buildkit_is_builtin(_ask(path, "--version"))
    answer = builtin is True or (builtin is False and "buildx" in _ask(path, "buildx", "version").split("\n")[0])
    with contextlib.suppress(OSError):  # it is only asked again
        os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
        with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write(stamp + "\n" + ("buildkit" if answer else "classic"))
        os.rename(f"{kept}.{os.getpid()}", kept)
    return answer


def _ask(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _stamp(file: str) -> str:
    try:
        status = os.stat(file)
    except OSError:
        return f"{file}:-"
    return f"{file}:{status.st_mtime_ns}:{status.st_size}"


def _buildx_files() -> list[str]:
    own = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return [os.path.join(folder, "docker-buildx") for folder in (os.path.join(own, "cli-plugins"), *_PLUGIN_FOLDERS)]
