"""Run the docker client."""

import subprocess

from minipaas_lib import api

CLIENT = "/usr/bin/docker"
_LIMIT = 600  # seconds; a cache of many GB takes its time


def run(*words: str) -> subprocess.CompletedProcess:
    """Run a docker command. Raises errors.Unavailable if it cannot be run or does not end."""
    try:
        return subprocess.run(
            [CLIENT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_LIMIT
        )
    except (OSError, subprocess.TimeoutExpired):
        raise api.errors.Unavailable("docker does not answer", "doctor") from None
