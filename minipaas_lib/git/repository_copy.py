"""Copy an app's repository while others may read it, push to it or have git pack it."""

import contextlib
import os

from minipaas_lib import errors, folders, paths
from minipaas_lib.git import lfs

_TRIES = 5
_HIDDEN = "refs/minipaas/"  # the commits of releases (see git.repository)


def copy(app: str, new: str, with_releases: bool = True) -> None:
    """Copy the repository of `app`, if there is one, to that of `new`, replacing it. Idempotent.

    Objects never change, so they are hard links and cost no space. Without `with_releases` the commits that releases
    keep are left out. Raises errors.Unavailable; a kill leaves no partial repository.
    """
    source, target = paths.repository(app), paths.repository(new)
    if not os.path.isdir(os.path.join(source, "objects")):
        return
    half = target + ".copy"
    try:
        for attempt in range(1, _TRIES + 1):
            folders.remove(half)
            try:
                _copy_parts(source, half, with_releases)
                break
            except FileNotFoundError:  # git has packed something in the meantime
                if attempt == _TRIES:
                    raise
        folders.remove(target)
        os.rename(half, target)
    except OSError as error:
        folders.remove(half)
        raise errors.Unavailable(
            f"the repository of {app} cannot be copied: {error.strerror}",
            "look for a full disk or a wrong owner: doctor",
        ) from None


def _copy_parts(source: str, half: str, with_releases: bool) -> None:
    """Copy in an order that loses nothing: git writes a pack, or packed refs, before it removes what it packed."""
    os.makedirs(half, mode=0o700)
    _tree(os.path.join(source, "refs"), os.path.join(half, "refs"), _copied, () if with_releases else ("minipaas",))
    with contextlib.suppress(FileNotFoundError):
        with open(os.path.join(source, "packed-refs"), "rb") as file:
            _write(os.path.join(half, "packed-refs"), _packed(file.read(), with_releases))
    _copied(os.path.join(source, "HEAD"), os.path.join(half, "HEAD"))
    _tree(os.path.join(source, "objects"), os.path.join(half, "objects"), os.link, ("pack",))
    _tree(os.path.join(source, "objects", "pack"), os.path.join(half, "objects", "pack"), os.link)
    lfs.hand_over(source, half)


def _tree(source: str, target: str, put, but: tuple[str, ...] = ()) -> None:
    """Call `put(source, target)` for each file of a folder, except git's scratch files and the folders in `but`."""
    waiting = [(source, target)]
    while waiting:  # not by recursion: a pushed tag may be a/b/c/... of a thousand levels
        place, copy_of_it = waiting.pop()
        os.makedirs(copy_of_it, mode=0o700, exist_ok=True)
        with os.scandir(place) as entries:
            for entry in entries:
                if (
                    (place == source and entry.name in but)
                    or entry.name.startswith("tmp_")
                    or entry.name.endswith((".lock", ".keep"))
                ):
                    continue
                path = os.path.join(copy_of_it, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, path))
                elif entry.is_file(follow_symlinks=False):
                    put(entry.path, path)


def _copied(source: str, target: str) -> None:
    with open(source, "rb") as file:
        _write(target, file.read())


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _packed(content: bytes, with_releases: bool) -> bytes:
    """The text of packed-refs (git-pack-refs(1)), with or without those of releases."""
    if with_releases:
        return content
    kept, drop = [], False
    for line in content.splitlines(keepends=True):
        if not line.startswith(b"^"):  # a line with ^ belongs to the one before it
            drop = line.partition(b" ")[2].startswith(_HIDDEN.encode())
        if not drop:
            kept.append(line)
    return b"".join(kept)
