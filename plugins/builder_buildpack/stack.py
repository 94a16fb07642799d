"""The stack image: what buildpacks run in, and what an app's image begins with."""

import hashlib
import io
import json
import os
import struct
import subprocess
import tarfile

from minipaas_lib import api
from plugins.builder_buildpack import client

PULL_TIMEOUT = 20 * 60  # seconds
_SOURCES = ("/bin/busybox", "/usr/bin/busybox")
_PT_INTERP = 3  # the program header that names a dynamic loader (elf(5))


def ensure(name: str, app) -> str:
    """The name of the stack image, which is on this host now. Raises errors.BuildFailed, errors.Unavailable.

    name: as settings.stack gives it; "" stands for an image with nothing but the host's static busybox.
    """
    if not name:
        return _of_busybox(busybox())
    here = config_of(name)
    if owner := api.kernel.image.owner(name, here or {}):
        api.check_image_owner(app, owner)
    if here is not None:
        return name
    if api.kernel.image.named_app(name):
        raise api.errors.BuildFailed(
            f"the stack image {name} is not on this host", f"buildpacks:set-property {app.name} stack <image>"
        )
    api.output.info(f"fetching the stack image {name}; this happens once and may take minutes")
    credentials = api.call_first("docker_config", app=app)
    try:
        client.run([*(["--config", credentials] if credentials else []), "pull", "--quiet", name], timeout=PULL_TIMEOUT)
    except api.errors.Unavailable as error:
        raise api.errors.BuildFailed(
            f"the stack image {name} is not on this host and cannot be fetched: {error.message}",
            (
                f"name one that is: buildpacks:set-property {app.name} stack <image>; or on the host: docker load < "
                "image.tar"
            ),
        ) from None
    return name


def config_of(image: str) -> dict | None:
    """What docker calls the Config of an image; None if there is no such image here."""
    try:
        return json.loads(client.run(["image", "inspect", "--format", "{{json .Config}}", image])) or {}
    except client.Failed:
        return None


def busybox() -> bytes:
    """The host's static busybox. Raises errors.BuildFailed."""
    for path in _SOURCES:
        if os.path.exists(path):
            with open(path, "rb") as file:
                data = file.read()
            if _is_static(data):
                return data
    raise api.errors.BuildFailed(
        "this host has no static busybox, which is needed to serve static pages",
        "on the host: sudo apt-get install busybox-static",
    )


def _of_busybox(program: bytes) -> str:
    """An image with a busybox and nothing else, made where it is not there yet."""
    name = f"minipaas/busybox-stack:{hashlib.sha256(program).hexdigest()[:12]}"
    if client.succeeds(["image", "inspect", "--format", "{{.Id}}", name]):
        return name
    listed = subprocess.run([_path(), "--list"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def write(pipe) -> None:
        with tarfile.open(fileobj=pipe, mode="w|") as tar:
            for folder in ("bin", "etc"):
                about = tarfile.TarInfo(folder)
                about.type, about.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(about)
            about = tarfile.TarInfo("bin/busybox")
            about.size, about.mode = len(program), 0o755
            tar.addfile(about, io.BytesIO(program))
            for applet in listed.stdout.split():
                about = tarfile.TarInfo(f"bin/{applet}")
                about.type, about.linkname = tarfile.SYMTYPE, "busybox"
                if applet != "busybox":
                    tar.addfile(about)

    client.feed(["import", "--change", "ENV PATH=/bin", "-", name], write, 120)
    return name


def _path() -> str:
    return next(path for path in _SOURCES if os.path.exists(path))


def _is_static(data: bytes) -> bool:
    """Whether a program is an ELF file of 64 or 32 bits that needs no loader."""
    if data[:4] != b"\x7fELF" or len(data) < 64:
        return False
    order, wide = "<" if data[5] == 1 else ">", data[4] == 2
    offset = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)
    kinds = [struct.unpack_from(order + "I", data, offset + index * size)[0] for index in range(count)]
    return bool(kinds) and _PT_INTERP not in kinds
