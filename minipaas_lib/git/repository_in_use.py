"""Whether a push is going on in a repository, and what a killed one has left there."""

import contextlib
import os

from minipaas_lib import folders

_LOCKED = ("HEAD.lock", "config.lock", "packed-refs.lock", "packed-refs.new")
_REFUSED = "refused-"  # then the number of git-receive-pack's process; see hooks/update
_HERE = ("receive-pack", "update-ref", "git gc", "git-gc")  # what writes to a repository, in a command line


def receiving(folder: str) -> bool:
    """Whether a git process that writes works in the repository; our own parent counts when we are its hook.

    git-receive-pack(1) moves the branch after its hook has ended, when nobody holds the app's lock any more.
    """
    return _is_written(folder, {str(os.getpid())})


def others(folder: str) -> bool:
    """As receiving, our own parent not counted."""
    return _is_written(folder, {str(os.getpid()), str(os.getppid())})


def _is_written(folder: str, but: set[str]) -> bool:
    place = os.path.realpath(folder)
    return any(entry.isdigit() and entry not in but and _writes(entry, place) for entry in os.listdir("/proc"))


def note_refused(folder: str, refs: list[str]) -> None:
    """Have the update hook of the push that we are the pre-receive hook of refuse these refs.

    git is the parent of both.
    """
    with open(os.open(_refused(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write("".join(ref + "\n" for ref in refs).encode("utf-8", "surrogateescape"))


def forget_refused(folder: str) -> None:
    """Remove what was noted for pushes that are over, and for one that had our number."""
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
    except PermissionError:  # another user's, root's perhaps: better wait for it
        return place in words
    except OSError:  # it has just ended
        return False


def tidy(folder: str) -> None:
    """Remove the locks and the quarantines that killed git processes left: git itself would wait for them for ever.

    What was there before we looked for processes, and found none, is nobody's. A push has its own repository to
    itself all but always, so this costs a look at a few folders.
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
