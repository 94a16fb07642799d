"""The repository that git gets for a push to a name that no app has: a folder for each connection.

git holds the folder's lock, which it inherits from the ssh entry, for as long as anything of the push runs; what waits
for that lock removes the folder, and so does any later push that finds the lock free.
"""

import contextlib
import fcntl
import os

from minipaas_lib import errors, folders, paths
from minipaas_lib.git import repository
from minipaas_lib.journal import background


def prepare(name: str) -> str:
    """A repository for one push to the app that is to be; its folder. The process that becomes git calls this.

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
    """The folder of the repository where we run as the hook of such a push; empty elsewhere."""
    here = os.path.realpath(os.curdir)
    whole = os.path.join(os.path.realpath(paths.first_pushes()), os.path.basename(os.path.dirname(here)), name + ".git")
    return here if here == whole else ""


def open_one(name: str) -> str:
    """The repository of the latest such push to that name that is going on; empty where there is none."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.listdir(paths.first_pushes()):
            folder = os.path.join(paths.first_pushes(), entry, name + ".git")
            if os.path.isdir(folder):
                found.append((os.stat(folder).st_ctime, folder))
    return max(found)[1] if found else ""


def tidy() -> None:
    """Remove what pushes have left that were killed together with what waited for their end."""
    try:
        left = os.listdir(paths.first_pushes())
    except OSError:
        return
    for entry in left:
        _remove(os.path.join(paths.first_pushes(), entry), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _locked_folder() -> str:
    """A new folder whose lock we hold, and whatever this process becomes."""
    while True:
        folder = os.path.join(paths.first_pushes(), f"{os.getpid()}-{os.urandom(4).hex()}")
        os.makedirs(folder, mode=0o700)
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # somebody tidied up between two lines of ours
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
    """Wait for the end of all that runs for the push. Nobody waits for us."""
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
