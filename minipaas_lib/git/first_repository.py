"""The temporary repository for a push to a name that no app has: a folder for each connection.

git holds the folder's lock, inherited from the ssh entry, while anything of the push runs. A background process waits
for that lock and removes the folder; so does any later push that finds the lock free.
"""

import contextlib
import fcntl
import os

from minipaas_lib import errors, folders, paths
from minipaas_lib.git import repository
from minipaas_lib.journal import background


def prepare(name: str) -> str:
    """Create the repository for one push and return its folder. Called by the process that becomes git.

    Raises errors.Unavailable when the disk refuses.
    """
    tidy()
    try:
        folder = _locked_folder()
        made = repository.create_at(os.path.join(folder, name + ".git"))
    except OSError as error:
        raise errors.Unavailable(
            f"a repository for {name} cannot be written: {error.strerror}",
            "look for a full disk or a wrong owner: doctor",
        ) from None
    background.spawn(lambda: _remove_afterwards(folder))
    return made


def repository_of(name: str) -> str:
    """The folder of the repository if this process is the hook of such a push, else empty."""
    current = os.path.realpath(os.curdir)
    expected = os.path.join(
        os.path.realpath(paths.first_pushes()), os.path.basename(os.path.dirname(current)), name + ".git"
    )
    return current if current == expected else ""


def latest(name: str) -> str:
    """The repository of the latest such push to that name that is in progress; empty if there is none."""
    candidates = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(paths.first_pushes()):
            folder = os.path.join(paths.first_pushes(), entry, name + ".git")
            if os.path.isdir(folder):
                candidates.append((os.stat(folder).st_ctime, folder))
    return max(candidates)[1] if candidates else ""


def tidy() -> None:
    """Remove the folders of pushes that were killed together with the process waiting for their end."""
    try:
        entries = os.listdir(paths.first_pushes())
    except OSError:
        return
    for entry in entries:
        _remove(os.path.join(paths.first_pushes(), entry), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked_folder() -> str:
    """A new folder whose lock this process holds, also after exec."""
    while True:
        folder = os.path.join(paths.first_pushes(), f"{os.getpid()}-{os.urandom(4).hex()}")
        os.makedirs(folder, mode=0o700)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # another process has just tidied up
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                os.set_inheritable(descriptor, True)
                return folder
        except FileNotFoundError:  # the same
            pass
        os.close(descriptor)


def _remove_afterwards(folder: str) -> None:
    """Wait for the end of the push, then remove the folder. Runs in the background."""
    _remove(folder, fcntl.LOCK_EX)


def _remove(folder: str, how: int) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, how)
        folders.remove(folder)
    except OSError:
        pass  # in use; or the disk refuses, and the next one tries again
    finally:
        os.close(descriptor)
