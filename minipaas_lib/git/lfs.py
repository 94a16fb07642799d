"""Git LFS: objects, stored in the repository's folder, and the pointers to them in a commit.

A pointer is a small text file in the commit's tree: version, oid and size (git-lfs, docs/spec.md). An object is a file
`lfs/objects/aa/bb/<oid>` in the app's repository, where git-lfs keeps it in a clone, so it moves with the repository.
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
    oid: str  # empty if the pointer does not use SHA-256
    size: int


def object_path(repository: str, oid: str) -> str:
    """The path of an object, whether it exists or not; oid: 64 hex digits."""
    return os.path.join(repository, FOLDER, "objects", oid[:2], oid[2:4], oid)


def take(app: str, repository: str, context: str) -> None:
    """Replace the pointers in a folder of unpacked files by their objects; warn of pointers without one.

    Raises errors.InvalidFile if the objects are larger than a commit may be, errors.Unavailable for the disk.
    """
    if not _uses_lfs(context):
        return
    limit, total, missing = limits.limits().size, 0, []
    all_pointers = pointers(context)
    for pointer in all_pointers:
        if not pointer.oid or not _is_there(object_path(repository, pointer.oid), pointer.size):
            missing.append(pointer)
            continue
        total += pointer.size
        if total > limit:
            raise errors.InvalidFile(
                f"the Git LFS objects of the commit are larger than {limit:,} bytes",
                "keep large files elsewhere, or: git:set --global max-size <size>",
            )
        if not _put(
            object_path(repository, pointer.oid), os.path.join(context, pointer.path), pointer, context + ".object"
        ):
            missing.append(pointer)
    if len(missing) < len(all_pointers):
        output.info(f"{_files(len(all_pointers) - len(missing))} from Git LFS")
    if missing:
        _name(app, missing)


def hand_over(source: str, target: str) -> None:
    """Link the objects of one repository into another. Idempotent. Raises OSError."""
    objects = os.path.join(source, FOLDER, "objects")
    for place, _, files in folders.walk(objects):
        destination = os.path.join(target, FOLDER, "objects", os.path.relpath(place, objects))
        if files:
            os.makedirs(destination, mode=0o700, exist_ok=True)
        for name in files:
            with contextlib.suppress(FileExistsError):
                os.link(os.path.join(place, name), os.path.join(destination, name))


def pointers(context: str) -> list[Pointer]:
    """All pointers below a folder, sorted by path. Links are not followed."""
    matches = []
    for place, _, files in folders.walk(context):
        for name in files:
            path = os.path.join(place, name)
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode) and len(_BEGINNING) < status.st_size <= _LARGEST:
                    pointer = parse(_read(path, _LARGEST))
                    if pointer:
                        matches.append(Pointer(os.path.relpath(path, context), *pointer))
    return sorted(matches)


def parse(content: bytes) -> tuple[str, int] | None:
    """(oid, size) of a pointer, with an empty oid if it cannot be parsed; None for any other file. Pure."""
    if not content.startswith(_BEGINNING):
        return None
    match = _POINTER.match(content)
    return (match[1].decode(), int(match[2])) if match else ("", 0)


def _uses_lfs(context: str) -> bool:
    """Whether git's attributes assign files to LFS."""
    for place, _, files in folders.walk(context):
        if ".gitattributes" in files and _ATTRIBUTE.search(
            _read(os.path.join(place, ".gitattributes"), _ATTRIBUTES_LIMIT)
        ):
            return True
    return False


def _is_there(path: str, size: int) -> bool:
    """Whether there is an object of the pointer's size, which is what `take` counts."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def _read(path: str, limit: int) -> bytes:
    """The beginning of a regular file; empty for anything else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(handle, "rb") as file:
        return file.read(limit)


def _put(source: str, target: str, pointer: Pointer, fresh: str) -> bool:
    """Replace the pointer by a copy of the object; return whether its digest and size match."""
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
