"""The docker of this machine, in which the hosts and nodes of the tests are containers."""

import os
import subprocess

DOCKER = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"


class Failed(Exception):
    """A command on the outside or in a node ended badly; the text has what it said."""


def docker(*words: str, data: bytes | None = None, timeout: float = 60, check: bool = True) -> str:
    """What a docker command printed. Raises Failed."""
    try:
        done = subprocess.run([DOCKER, *words], input=data, capture_output=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"docker {' '.join(words)}: not done within {timeout} seconds") from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise Failed(f"docker {' '.join(words)}: status {done.returncode}: {said[-2000:]}")
    return done.stdout.decode(errors="replace")
