"""The memory cap of builds. BuildKit knows none, so a helper that root installed sets it on the builds' cgroup."""

import contextlib
import os
import subprocess

from minipaas_lib import api

HELPER = "/usr/local/lib/minipaas/build-memory"
SUDO = "/usr/bin/sudo"

_watching: list[subprocess.Popen] = []


def begin(driver: str, limit: int) -> str:
    """Cap the memory of builds at `limit` bytes (0: no cap) until end(); return what is wrong, or an empty string.

    driver: docker's, "cgroupfs" or "systemd".
    """
    if not limit and not os.path.exists(_marker()):
        return ""  # no cap was ever set since docker's cgroups were made: the usual host needs no root here
    if not os.access(HELPER, os.X_OK):
        return f"{HELPER} is missing"
    command = [HELPER, driver, str(limit)] if os.geteuid() == 0 else [SUDO, "-n", HELPER, driver, str(limit)]
    try:
        pipe = subprocess.PIPE
        helper = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        assert helper.stdin and helper.stdout
        answer = helper.stdout.readline().strip()
    except OSError as error:
        return f"{command[0]}: {error.strerror}"
    if answer != "capped":
        helper.stdin.close()
        helper.wait()
        return answer or "the helper said nothing"
    _watching.append(helper)  # it runs as long as its standard input is open, so it does not outlive this process
    with contextlib.suppress(OSError):
        if limit:
            os.makedirs(os.path.dirname(_marker()), mode=0o700, exist_ok=True)
            with open(_marker(), "w", encoding="ascii"):
                pass
        else:
            os.unlink(_marker())
    return ""


def end() -> None:
    """End the cap after the build."""
    while _watching:
        helper = _watching.pop()
        assert helper.stdin and helper.stdout
        helper.stdin.close()
        helper.stdout.close()
        helper.wait()


def _marker() -> str:
    """The file that exists while builds may be under a cap."""
    return api.paths.cache("build-memory-capped")
