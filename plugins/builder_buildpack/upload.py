"""What goes into a build container before it starts, as one tar: programs, buildpacks, config, the source tree."""

import io
import os
import re
import tarfile
import time
from typing import NamedTuple

from minipaas_lib import api
from plugins.builder_buildpack import fetch, plan

_FILE_LIMIT = 1 << 20  # bytes of /etc/passwd


class Tar:
    """Writes a tar to a pipe. Every file's time is now, and its owner root or the app's user."""

    def __init__(self, pipe) -> None:
        self._tar = tarfile.open(fileobj=pipe, mode="w|", format=tarfile.PAX_FORMAT)
        self._now = int(time.time())

    def folder(self, name: str, mode: int = 0o755, owned: bool = False) -> None:
        about = tarfile.TarInfo(name)
        about.type = tarfile.DIRTYPE
        self._add(about, None, mode, owned)

    def file(self, name: str, data: bytes, mode: int = 0o644, owned: bool = False) -> None:
        about = tarfile.TarInfo(name)
        about.size = len(data)
        self._add(about, io.BytesIO(data), mode, owned)

    def entry(self, name: str, about: tarfile.TarInfo, file) -> None:
        """A copy of an entry of another tar, under another name, for the app's user."""
        copy = tarfile.TarInfo(name)
        copy.type, copy.size, copy.linkname = about.type, about.size, about.linkname
        self._add(copy, file, 0o755 if about.mode & 0o100 or about.isdir() else 0o644, True)

    def tree(self, name: str, folder: str) -> None:
        """The files below `folder`, for the app's user."""

        def ours(about: tarfile.TarInfo) -> tarfile.TarInfo | None:
            if not (about.isreg() or about.isdir() or about.issym() or about.islnk()):
                return None
            about.mode = 0o755 if about.mode & 0o100 or about.isdir() else 0o644
            self._mark(about, True)
            return about

        self._tar.add(folder, name, filter=ours)

    def close(self) -> None:
        self._tar.close()

    def _add(self, about: tarfile.TarInfo, file, mode: int, owned: bool) -> None:
        about.mode = mode
        self._mark(about, owned)
        self._tar.addfile(about, file)

    def _mark(self, about: tarfile.TarInfo, owned: bool) -> None:
        about.uid = about.gid = plan.UID if owned else 0
        about.uname = about.gname = ""
        about.mtime, about.pax_headers = self._now, {}


class Cargo(NamedTuple):
    """All of it."""

    context: str  # the folder with the source tree
    packs: list[fetch.Pack]
    config: dict[str, str]  # the app's, for the env folder of buildpacks
    variables: dict[str, str]  # for downloads
    ca: str  # PEM, the certificates that downloads trust; empty for the usual ones
    etc: dict[str, bytes]  # files of /etc
    busybox: bytes  # empty where no buildpack needs it
    memory: int = 0  # bytes that the build may use; 0 is no limit


def write(pipe, cargo: Cargo) -> None:
    """Write it as a tar to be unpacked at the top of the container. Raises errors.BuildFailed for a buildpack."""
    tar = Tar(pipe)
    try:
        tar.folder("tmp", 0o1777)
        tar.folder(plan.HERE[1:])
        tar.folder(plan.CACHE[1:], owned=True)
        tar.file(plan.LAUNCHER[1:], _resource("launch.sh"), 0o755)
        if cargo.busybox:
            tar.file(plan.BUSYBOX[1:], cargo.busybox, 0o755)
        for name, data in cargo.etc.items():
            tar.file(f"etc/{name}", data)
        _write_build(tar, plan.BUILD[1:], cargo)
        tar.tree("app", cargo.context)
    finally:
        tar.close()


def _write_build(tar: Tar, build: str, cargo: Cargo) -> None:
    """What is only there while the build runs."""
    tar.folder(build, 0o700, owned=True)
    tar.file(f"{build}/drive", _resource("drive.sh"), 0o755, owned=True)
    for name in ("packs", "names", "out"):
        tar.folder(f"{build}/{name}", owned=True)
    for folder, values in (("env", cargo.config), ("settings", cargo.variables)):
        tar.folder(f"{build}/{folder}", 0o700, owned=True)
        for name, value in sorted(values.items()):
            if re.fullmatch(api.names.CONFIG_NAME, name):
                tar.file(f"{build}/{folder}/{name}", value.encode(), 0o600, owned=True)
    if cargo.ca:
        tar.file(f"{build}/ca.pem", cargo.ca.encode(), owned=True)
    for number, pack in enumerate(cargo.packs, 1):
        tar.file(f"{build}/names/{number:02}", pack.reference.text.encode(), owned=True)
        tar.folder(f"{build}/packs/{number:02}", owned=True)
        for about, file in fetch.files(pack):
            tar.entry(f"{build}/packs/{number:02}/{about.name}", about, file)


def with_user(passwd: bytes, group: bytes) -> dict[str, bytes]:
    """passwd(5) and group(5) that know the app's user: programs such as node and ssh look it up."""
    found = {}
    uid = str(plan.UID).encode()
    for name, data, line in (
        ("passwd", passwd, b"app:x:%s:%s:app:/app:/bin/sh\n" % (uid, uid)),
        ("group", group, b"app:x:%s:\n" % uid),
    ):
        rows = [row.split(b":") for row in data.split(b"\n")]
        if not any(len(row) > 2 and row[2] == uid for row in rows):
            found[name] = data + (b"" if not data or data.endswith(b"\n") else b"\n") + line
    return found


def only_file(archive: bytes) -> bytes:
    """The content of the first regular file of a tar that may be cut short; nothing if there is none."""
    found = read(archive)
    return next(iter(found.values()), b"")


def read(archive: bytes) -> dict[str, bytes]:
    """The regular files of a tar, by the last part of their names; what cannot be read is left out."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for about in tar:
                if about.isreg() and about.size <= _FILE_LIMIT and (file := tar.extractfile(about)):
                    found[os.path.basename(about.name)] = file.read()
    except Exception:  # a container wrote it: whatever the library makes of it, it is no file
        pass
    return found


def _resource(name: str) -> bytes:
    return api.paths.resource(f"plugins/builder_buildpack/container/{name}")
