"""A push to a name that no app has: git gets a repository that is nobody's, and an app is made once a branch is taken.

A client opens git-receive-pack(1) before it says what it pushes, if anything, so every such connection has a folder of
its own. git holds its lock, which it inherits from the gate, for as long as anything of the push runs; what waits for
that lock removes the folder, and so does whoever finds the lock free. The hook makes the app and gives the objects to
the app's own repository. git goes on to move the branch in the one that is about to go, which nobody sees.
"""

import contextlib
import fcntl
import os

from minipaas_lib import errors, folders, output, paths
from minipaas_lib.bus import authority
from minipaas_lib.git import lfs, quarantine, repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.records import apps, releases

OPERATION = "create by push"
"""What the journal calls it while an app is made that has nothing yet."""


def prepare(name: str) -> str:
    """A repository for one push to the app that is to be; its folder. The process that becomes git calls this.

    Raises errors.NotFound where a push may not create the app, errors.Unavailable when the disk refuses.
    """
    check(name)
    tidy()
    try:
        folder = _locked_folder()
        made = repository.create_at(os.path.join(folder, name + ".git"))
    except OSError as error:
        raise errors.Unavailable(
            f"a repository for {name} cannot be written: {error.strerror}",
            "look for a full disk or a wrong owner: doctor",
        ) from None
    from minipaas_lib.journal import background

    background.spawn(lambda: _remove_afterwards(folder))
    return made


def check(name: str) -> None:
    """Raise errors.NotFound where a push may not create an app of that name."""
    if not apps.platform().get("create-on-push", True) or apps.renamed_to(name):
        raise apps.missing(name)


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


def destination(name: str) -> App:
    """The app that a push goes to, as it is or as it would be. Raises errors.NotFound, errors.BadConfig."""
    try:
        return apps.load(name)
    except errors.NotFound:
        if not repository_of(name):
            raise
        return App(name, {})


def accept(name: str, commit: str, branch: str) -> bool:
    """Make the app, and give its repository what such a push brought; whether the app is a new one.

    Raises errors.MinipaasError for a commit that may not be deployed, and then there is nothing new.
    """
    brought = repository_of(name)
    repository.check_commit(brought, commit)
    with locks.name_lock(name):
        new = not apps.exists(name)
        if new:
            check(name)
            journal.begin(name, OPERATION)
        else:
            _refuse_second(name, commit, branch)
        try:
            if new:
                apps.write(name)
            folder = repository.create(name)
            quarantine.link_objects(
                os.path.realpath(os.environ["GIT_QUARANTINE_PATH"]), os.path.join(folder, "objects")
            )
            lfs.hand_over(brought, folder)
        except BaseException as error:
            if new:
                remove(name)
            if isinstance(error, OSError):
                raise errors.Unavailable(
                    f"the push cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
                ) from None
            raise
        if new:
            journal.end(name)
    if new:
        _announce(name)
    return new


def take_back(name: str) -> None:
    """Remove the app that this push has made, unless something of it is live or somebody else works on it by now."""
    try:
        with locks.name_lock(name):
            if releases.live(name) is None:
                remove(name)
                output.step(f"{name} is removed again: nothing was deployed")
    except errors.MinipaasError as error:
        output.warn(f"{name} could not be removed: {error.message}")
        output.info(f"apps:destroy {name}")


def remove(name: str) -> None:
    """Remove all of an app that has nothing yet. The caller holds its lock. A kill is made good by the next command."""
    from minipaas_lib.apps import trash

    journal.begin(name, "destroy", trash="")
    trash.take_away(name, "")


def tidy() -> None:
    """Remove what pushes have left that were killed together with what waited for their end."""
    try:
        left = os.listdir(paths.first_pushes())
    except OSError:
        return
    for entry in left:
        _remove(os.path.join(paths.first_pushes(), entry), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _refuse_second(name: str, commit: str, branch: str) -> None:
    """Somebody has made the app since this push began, and git has told it of no branch there."""
    app = apps.load(name)
    if app.frozen:
        raise errors.Locked(f"{name} is locked: {app.frozen}", f"apps:unlock {name}")
    if repository.head_commit(name, [branch]) not in (None, commit):
        raise errors.Conflict(
            f"{name} was created by another push in the meantime, with another commit on {branch}", "push again"
        )


def _announce(name: str) -> None:
    """Tell whoever pushed, and the plugins, that there is a new app."""
    import difflib

    output.step(f"Created {name}, which did not exist yet")
    near = difflib.get_close_matches(name, [known for known in apps.names() if known != name], 1)
    question = (
        f"did you mean {near[0]}?" if near and authority.allows("git-receive-pack", near[0]) else "was that a typo?"
    )
    output.hint(f"{question} To remove {name} again: ssh paas@<host> apps:destroy {name}")
    apps.tell_created(apps.load(name))


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
