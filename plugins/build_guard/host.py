"""What is free on this host, and docker's own settings."""

import contextlib
import os
import subprocess
import threading
from typing import NamedTuple

from minipaas_lib import api
from plugins.build_guard.needs import Free, lower

DOCKER = "/usr/bin/docker"
_LOOK_AGAIN = 0.5  # seconds


class Engine(NamedTuple):
    folder: str = "/var/lib/docker"
    driver: str = "cgroupfs"  # or systemd


def engine() -> Engine:
    """Docker's folder and cgroup driver, asked once per start of docker."""
    kept = api.paths.cache("docker-engine")
    stamp = _started()
    with contextlib.suppress(OSError, ValueError), open(kept, encoding="utf-8") as file:
        former, folder, driver = file.read().split("\n")
        if former == stamp:
            return Engine(folder, driver)
    lines = docker("info", "--format", "{{.DockerRootDir}}\n{{.CgroupDriver}}").split("\n")
    if len(lines) < 2 or not lines[0].startswith("/"):
        return Engine()  # docker does not answer: the builder says so
    detected = Engine(lines[0], lines[1])
    with contextlib.suppress(OSError):  # it is only asked again
        os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
        with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write("\n".join((stamp, *detected)))
        os.rename(f"{kept}.{os.getpid()}", kept)
    return detected


def docker(*words: str, timeout: float = 300) -> str:
    """What a docker command prints; empty if it fails."""
    try:
        done = subprocess.run(
            [DOCKER, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def free(folder: str) -> Free:
    """What is free now; `folder` is docker's."""
    there, here = _file_system(folder), _file_system(api.paths.root())
    table = memory()
    inodes = there.f_favail if there.f_files else 1 << 40  # some file systems make them as needed
    return Free(
        disk=there.f_bavail * there.f_frsize,
        inodes=inodes,
        state=here.f_bavail * here.f_frsize,
        memory=table.get("MemAvailable", 1 << 40) + table.get("SwapFree", 0),
    )


def memory() -> dict[str, int]:
    """/proc/meminfo in bytes."""
    with open("/proc/meminfo", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {row[0].rstrip(":"): int(row[1]) << 10 for row in rows if len(row) == 3}


class Watch:
    """Tracks the minimum that is free while a build runs."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.before = self.lowest = free(folder)
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while not self._stop.wait(_LOOK_AGAIN):
                self.lowest = lower(self.lowest, free(self._folder))

    def end(self) -> Free:
        """Stop tracking and return the minimum that was free."""
        self._stop.set()
        return lower(self.lowest, free(self._folder))


def _file_system(folder: str) -> os.statvfs_result:
    """The file system of the folder, or of its nearest parent that can be read."""
    while True:
        try:
            return os.statvfs(folder)
        except OSError:
            if folder == "/":
                raise
            folder = os.path.dirname(folder)


def _started() -> str:
    for path in ("/run/docker.pid", "/var/run/docker.sock"):
        with contextlib.suppress(OSError):
            return f"{path} {os.stat(path).st_mtime_ns}"
    return "-"
