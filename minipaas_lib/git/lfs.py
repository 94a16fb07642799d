"""Files that Git LFS keeps outside of git: their objects, stored beside the repository, and the pointers in a commit.

A pointer is a small text file in the commit's tree: version, oid and size (git-lfs, docs/spec.md). An object is a file
`lfs/objects/aa/bb/<oid>` in the app's repository, as in a clone of git-lfs's own, and so it goes wherever that goes.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
from typing import NamedTuple

from minipaas_lib import errors, folders, names, output
from minipaas_lib.records import limits

FOLDER = "lfs"  # in a repository
_LARGEST = 1023  # bytes of a pointer
_BEGINNING = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER = re.compile(
    re.escape(_BEGINNING) + rb"(?:ext-[0-9]-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n"
)
_ATTRIBUTE = re.compile(rb"(?m)^[^#\n]*[ \t]filter=lfs(?:[ \t\r]|$)")  # gitattributes(5)
_ATTRIBUTES_LIMIT = 1 << 20  # bytes
_PIECE = 1 << 20  # bytes
_NAMED = 3


class Pointer(NamedTuple):
    path: str
    oid: str  # empty where the pointer is not one of SHA-256
    size: int


def object_path(repository: str, oid: str) -> str:
    """Where the object is, or would be, of 64 hex digits."""
    return os.path.join(repository, FOLDER, "objects", oid[:2], oid[2:4], oid)


def take(app: str, repository: str, context: str) -> None:
    """Put objects in the place of the pointers in a folder of unpacked files; name those that stay what they are.

    Raises errors.InvalidFile where the objects are larger than a commit may be, errors.Unavailable for the disk.
    """
    if not _uses_lfs(context):
        return
    limit, whole, missing = limits.limits().size, 0, []
    found = pointers(context)
    for pointer in found:
        if not pointer.oid or not _is_there(object_path(repository, pointer.oid), pointer.size):
            missing.append(pointer)
            continue
        whole += pointer.size
        if whole > limit:
            raise errors.InvalidFile(
                f"the Git LFS objects of the commit are larger than {limit:,} bytes",
                "keep large files elsewhere, or: git:set --global max-size <size>",
            )
        if not _put(
            object_path(repository, pointer.oid), os.path.join(context, pointer.path), pointer, context + ".object"
        ):
            missing.append(pointer)
    if len(missing) < len(found):
        output.info(f"{_files(len(found) - len(missing))} from Git LFS")
    if missing:
        _name(app, missing)


def hand_over(source: str, target: str) -> None:
    """Give the objects of one repository to another, too. Repeatable. Raises OSError."""
    objects = os.path.join(source, FOLDER, "objects")
    for place, _, others in folders.walk(objects):
        there = os.path.join(target, FOLDER, "objects", os.path.relpath(place, objects))
        if others:
            os.makedirs(there, mode=0o700, exist_ok=True)
        for name in others:
            with contextlib.suppress(FileExistsError):
                os.link(os.path.join(place, name), os.path.join(there, name))


def pointers(context: str) -> list[Pointer]:
    """All pointers below a folder, by path. No link is followed."""
    found = []
    for place, _, others in folders.walk(context):
        for name in others:
            path = os.path.join(place, name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and len(_BEGINNING) < status.st_size <= _LARGEST:
                    pointer = parse(_read(path, _LARGEST))
                    if pointer:
                        found.append(Pointer(os.path.relpath(path, context), *pointer))
    return sorted(found)


def parse(content: bytes) -> tuple[str, int] | None:
    """(oid, size) of a pointer; an empty oid in one that we cannot read; None for any other file. Pure."""
    if not content.startswith(_BEGINNING):
        return None
    found = _POINTER.match(content)
    return (found[1].decode(), int(found[2])) if found else ("", 0)


def _uses_lfs(context: str) -> bool:
    """Whether git's attributes give files to LFS."""
    for place, _, others in folders.walk(context):
        if ".gitattributes" in others and _ATTRIBUTE.search(
            _read(os.path.join(place, ".gitattributes"), _ATTRIBUTES_LIMIT)
        ):
            return True
    return False


def _is_there(path: str, size: int) -> bool:
    """Whether there is an object of that size: what its pointer says is what `take` counts."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _read(path: str, limit: int) -> bytes:
    """The beginning of a regular file; nothing of anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(handle, "rb") as file:
        return file.read(limit)


def _put(source: str, target: str, pointer: Pointer, fresh: str) -> bool:
    """Put a copy of the object in the pointer's place; whether it is what the pointer says."""
    digest, size = hashlib.sha256(), 0
    try:
        with open(source, "rb") as file, open(fresh, "wb") as copy:
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                copy.write(piece)
        if (digest.hexdigest(), size) != (pointer.oid, pointer.size):
            return False
        shutil.copymode(target, fresh, follow_symlinks=False)
        os.rename(fresh, target)
        return True
    except OSError as error:
        raise errors.Unavailable(
            f"the Git LFS object of {names.safe(pointer.path)} cannot be copied: {error.strerror}",
            "look for a full disk or a wrong owner: doctor",
        ) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)


def _name(app: str, missing: list[Pointer]) -> None:
    shown = ", ".join(names.safe(pointer.path) for pointer in missing[:_NAMED]) + (
        ", ..." if len(missing) > _NAMED else ""
    )
    verb = "is a Git LFS pointer" if len(missing) == 1 else "are Git LFS pointers"
    output.warn(f"{_files(len(missing))} {verb} without their content on this host: {shown}")
    output.hint(f"git lfs push --all <remote>, then: ssh paas@<host> ps:rebuild {app}")


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
