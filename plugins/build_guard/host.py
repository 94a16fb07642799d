"""What is free on this host, and what docker says of itself."""

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
    """Where docker keeps images and who makes its cgroups. Asked once per start of docker."""
    kept = api.paths.cache("docker-engine")
    stamp = _started()
    with contextlib.suppress(OSError, ValueError), open(kept, encoding="utf-8") as file:
        former, folder, driver = file.read().split("\n")
        if former == stamp:
            return Engine(folder, driver)
    said = docker("info", "--format", "{{.DockerRootDir}}\n{{.CgroupDriver}}").split("\n")
    if len(said) < 2 or not said[0].startswith("/"):
        return Engine()  # docker does not answer: the builder says so
    found = Engine(said[0], said[1])
    with contextlib.suppress(OSError):  # it is only asked again
        os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
        with open(f"{kept}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write("\n".join((stamp, *found)))
        os.rename(f"{kept}.{os.getpid()}", kept)
    return found


def docker(*words: str, timeout: float = 300) -> str:
    """What a docker command prints; empty where it fails."""
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
    """Remembers the least that was free while a build ran."""

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
        """Stop looking; the least that was free."""
        self._stop.set()
        return lower(self.lowest, free(self._folder))


def _file_system(folder: str) -> os.statvfs_result:
    """That of the folder, or of the nearest above it that can be asked."""
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
