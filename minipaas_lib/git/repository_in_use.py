"""Detect pushes in progress in a repository, and clean up after killed ones."""

import contextlib
import os

from minipaas_lib import folders

_LOCKED = ("HEAD.lock", "config.lock", "packed-refs.lock", "packed-refs.new")
_REFUSED = "refused-"  # then the number of git-receive-pack's process; see hooks/update
_HERE = ("receive-pack", "update-ref", "git gc", "git-gc")  # in command lines of what writes to a repository


def receiving(folder: str) -> bool:
    """Whether a git process that writes works in the repository, the parent of this hook included.

    git-receive-pack(1) moves the branch after its hook has ended, when nobody holds the app's lock any more.
    """
    return _is_written(folder, {str(os.getpid())})


def written_by_others(folder: str) -> bool:
    """Like receiving, without the parent of this hook."""
    return _is_written(folder, {str(os.getpid()), str(os.getppid())})


def _is_written(folder: str, but: set[str]) -> bool:
    place = os.path.realpath(folder)
    return any(entry.isdigit() and entry not in but and _writes(entry, place) for entry in os.listdir("/proc"))


def note_refused(folder: str, refs: list[str]) -> None:
    """Have the update hook of this push refuse these refs. For the pre-receive hook: git is the parent of both."""
    with open(os.open(_refused(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write("".join(ref + "\n" for ref in refs).encode("utf-8", "surrogateescape"))


def forget_refused(folder: str) -> None:
    """Remove the notes for pushes that are over, and for one that had this process's parent's pid."""
    for name in _names(folder):
        pid = name.removeprefix(_REFUSED)
        if pid != name and (pid == str(os.getppid()) or not os.path.exists(f"/proc/{pid}")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


def _refused(folder: str) -> str:
    return os.path.join(folder, f"{_REFUSED}{os.getppid()}")


def _writes(pid: str, place: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
        return any(word in words for word in _HERE) and (place in words or os.readlink(f"/proc/{pid}/cwd") == place)
    except PermissionError:  # another user's, perhaps root's: better wait for it
        return place in words
    except OSError:  # it has just ended
        return False


def tidy(folder: str) -> None:
    """Remove the locks and the quarantines that killed git processes left: git itself would wait for them forever.

    Files that were listed before a search for processes found none belong to nobody. A push is nearly always alone in
    its repository, so this costs only the listing of a few folders.
    """
    stale = [os.path.join(folder, name) for name in _LOCKED if os.path.lexists(os.path.join(folder, name))]
    stale += [
        os.path.join(folder, name)
        for name in _names(folder)
        if ".new-" in name or name.startswith(("shallow_", _REFUSED))
    ]
    stale += [os.path.join(folder, "hooks", name) for name in _names(os.path.join(folder, "hooks")) if ".new-" in name]
    for place, _, names in folders.walk(os.path.join(folder, "refs")):
        stale += [os.path.join(place, name) for name in names if name.endswith(".lock")]
    objects = os.path.join(folder, "objects")
    stale += [os.path.join(objects, name) for name in _names(objects) if name.startswith("tmp_objdir-")]
    if stale and not receiving(folder):
        for path in stale:
            folders.remove(path)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []
