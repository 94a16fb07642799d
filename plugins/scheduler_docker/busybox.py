"""The static busybox that liveness checks run with inside containers: copied from the host, mounted read-only."""

import os
import struct

from minipaas_lib import api

_SOURCES = ("/bin/busybox", "/usr/bin/busybox")
_PT_INTERP = 3  # the program header that names a dynamic loader (elf(5))


def mounted(spec: "api.ContainerSpec") -> "api.ContainerSpec":
    """The spec with the tool mounted where its health command, if any, looks for it. Raises errors.DeployFailed."""
    if spec.healthcheck is None:
        return spec
    from dataclasses import replace

    return replace(spec, mounts=(*spec.mounts, (installed(), spec.healthcheck.command[0], "ro")))


def installed() -> str:
    """The path of minipaas' copy, made or renewed if it differs from the host's.

    Raises errors.DeployFailed if there is none.
    """
    source = next((path for path in _SOURCES if os.path.exists(path) and static(path)), None)
    target = api.paths.cache("busybox")
    if source is None:
        if os.path.exists(target):
            return target
        raise api.errors.DeployFailed(
            "this host has no static busybox, which the liveness checks of app.json run with",
            "on the host: sudo apt-get install busybox-static",
        )
    if not same(source, target):
        copy(source, target)
    return target


def static(path: str) -> bool:
    """Whether a program is an ELF file that needs no loader and no library of the image it runs in."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or len(head) < 64:
            return False
        order = "<" if head[5] == 1 else ">"
        if head[4] == 2:  # 64 bits
            offset, size, count = (
                *struct.unpack_from(order + "Q", head, 32),
                *struct.unpack_from(order + "HH", head, 54),
            )
        else:
            offset, size, count = (
                *struct.unpack_from(order + "I", head, 28),
                *struct.unpack_from(order + "HH", head, 42),
            )
        file.seek(offset)
        table = file.read(size * count)
    kinds = [struct.unpack_from(order + "I", table, index * size)[0] for index in range(len(table) // size)]
    return bool(kinds) and _PT_INTERP not in kinds


def same(source: str, target: str) -> bool:
    """Whether the copy is of this very file."""
    try:
        one, other = os.stat(source), os.stat(target)
    except FileNotFoundError:
        return False
    return (one.st_size, int(one.st_mtime)) == (other.st_size, int(other.st_mtime)) and other.st_mode & 0o777 == 0o755


def copy(source: str, target: str) -> None:
    """Copy by rename: running containers keep their copy."""
    import shutil

    os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
    new = f"{target}.{os.getpid()}.new"
    try:
        shutil.copyfile(source, new)
        status = os.stat(source)
        os.chmod(new, 0o755)  # programs of any user in a container run it
        os.utime(new, (status.st_atime, status.st_mtime))
        os.rename(new, target)
    except OSError as error:
        raise api.errors.Unavailable(
            f"busybox cannot be copied to {target}: {error.strerror}", "look for a full disk or a wrong owner: doctor"
        ) from error
