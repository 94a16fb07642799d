"""Whether a push is going on in a repository, and what a killed one has left there."""

import os

from minipaas_lib import folders

_LOCKED = ("HEAD.lock", "config.lock", "packed-refs.lock", "packed-refs.new")
_HERE = ("receive-pack", "update-ref", "git gc", "git-gc")  # what writes to a repository, in a command line


def receiving(folder: str) -> bool:
    """Whether a git process that writes works in the repository; our own parent counts when we are its hook.

    git-receive-pack(1) moves the branch after its hook has ended, when nobody holds the app's lock any more.
    """
    place = os.path.realpath(folder)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and entry != str(os.getpid()) and _writes(entry, place):
            return True
    return False


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
    stale += [os.path.join(folder, name) for name in _names(folder) if ".new-" in name or name.startswith("shallow_")]
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
