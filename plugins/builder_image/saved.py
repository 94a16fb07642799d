"""An image as `docker save` writes it, read without belief, and written anew with no other name than ours.

Docker unpacks such an archive into a folder and then looks what is there: a link or a `..` in it can bring another
manifest.json than the one that was looked at, and with its names replace the images of this host, such as the one that
other apps are built on.
"""

import io
import json
import os
import re
import tarfile
from typing import NamedTuple

from minipaas_lib import api

_MANIFEST = "manifest.json"
_JSON_LIMIT = 4 << 20  # bytes of the manifest, and of what it says of the image
_MEMBERS_LIMIT = 10_000
_HEADER_LIMIT = 64 << 10  # bytes
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)
_LINK_STEPS = 5


class Part(NamedTuple):
    """The place of a file in the archive."""

    offset: int  # bytes
    size: int  # bytes


class Saved(NamedTuple):
    config: Part
    layers: list[Part]  # the lowest first


def read(archive, image: str) -> Saved:
    """The one image of an archive (a file that can seek) if it is named `image`. Raises errors.InvalidFile."""
    members = _members(archive)
    if _MANIFEST not in members:
        raise _wrong("this is not what docker save writes: it has no manifest.json", image)
    try:
        content = json.loads(_content(archive, _part(members, _MANIFEST, image), image))
        [entry] = content if isinstance(content, list) else [content]
        tags, config, layers = entry.get("RepoTags") or [], entry["Config"], entry.get("Layers") or []
        named = [tag for tag in tags if isinstance(tag, str)]
        files = [_normal(name) for name in (config, *layers)]
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        raise _wrong("the manifest.json of the image cannot be read, or it lists several images", image) from None
    others = [tag for tag in named if _full(tag) != _full(image)]
    if others or not named:
        said = f"names {api.names.safe(others[0])}, not {image}" if others else "names no image"
        raise _wrong(f"the image on stdin {said}", image)
    parts = [_part(members, name, image) for name in files]
    return Saved(parts[0], parts[1:])


def write(archive, saved: Saved, name: str, out) -> None:
    """Write the image to the file `out` as an archive that names it `name` and holds nothing else."""
    layers = [f"layer-{number}.tar" for number in range(len(saved.layers))]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": layers}]).encode()
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for file, part in zip(["config.json", *layers], [saved.config, *saved.layers], strict=True):
            archive.seek(part.offset)
            tar.addfile(_header(file, part.size), archive)
        tar.addfile(_header(_MANIFEST, len(manifest)), io.BytesIO(manifest))


def _header(name: str, size: int) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.size, about.mode = size, 0o600
    return about


def _members(archive) -> dict[str, Part | str]:
    """Name -> a file, or the name that a link leads to; of two of a name the last. Raises errors.InvalidFile."""
    found: dict[str, Part | str] = {}
    hint = "docker save <image> | ssh ... git:load-image <app> <image>"
    try:
        end = archive.seek(0, 2)
        archive.seek(0)
        if archive.read(2) == b"\x1f\x8b":
            raise api.errors.InvalidFile("the image is compressed", "send it as docker save writes it, uncompressed")
        archive.seek(0)
        with tarfile.open(fileobj=_Modest(archive), mode="r:") as tar:
            for count, member in enumerate(tar):
                if count >= _MEMBERS_LIMIT:
                    raise api.errors.InvalidFile(f"the image has more than {_MEMBERS_LIMIT:,} files", hint)
                tar.members.clear()  # type: ignore[attr-defined]  # it keeps all that it has seen
                name = _normal(member.name)
                if member.type in _PLAIN and not member.issparse():
                    if member.offset_data + member.size > end:
                        raise api.errors.InvalidFile("the image on stdin is cut off", hint)
                    found[name] = Part(member.offset_data, member.size)
                elif member.issym():
                    found[name] = _normal(f"{name.rpartition('/')[0]}/{member.linkname}")
    except api.errors.MinipaasError:
        raise
    except Exception:  # whatever the library makes of it: it recurses for each header in front of a member, and more
        raise api.errors.InvalidFile("stdin is not an image: it is not a tar archive", hint) from None
    return found


def _part(members: dict[str, Part | str], name: str, image: str) -> Part:
    """The file of that name; older dockers save a layer that several images have as a link."""
    for _ in range(_LINK_STEPS):
        found = members.get(name)
        if isinstance(found, Part):
            return found
        name = found or ""
    raise _wrong("the image on stdin is incomplete: a file that its manifest.json names is missing", image)


def _content(archive, part: Part, image: str) -> bytes:
    if part.size > _JSON_LIMIT:
        raise _wrong("the manifest.json of the image is too large", image)
    archive.seek(part.offset)
    return archive.read(part.size)


def _normal(path: str) -> str:
    """A path without `.`, `..` and empty parts."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _full(name: str) -> str:
    """A reference with its tag, and without what docker adds by itself."""
    name = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return re.sub("^(?:index[.])?docker[.]io/", "", name).removeprefix("library/")


def _wrong(said: str, image: str) -> "api.errors.InvalidFile":
    return api.errors.InvalidFile(said, f"docker save {image} | ssh ... git:load-image <app> {image}")


class _Modest(io.BufferedIOBase):
    """A file that is never read in large pieces: the library reads headers of whatever size they say they have."""

    def __init__(self, file) -> None:
        self._file = file

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= _HEADER_LIMIT:
            raise ValueError("too large a piece")
        return self._file.read(size)
