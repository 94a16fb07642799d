"""A push to a name that no app has: the app is created once a branch is accepted.

A client opens git-receive-pack(1) before it says what it pushes, if anything, so git first gets a temporary repository
(git.first_repository). The hook creates the app and links the objects into its own repository. git then moves the
branch in the temporary one, which is about to be removed.
"""

import os

from minipaas_lib import errors, output
from minipaas_lib.apps import lifecycle, trash
from minipaas_lib.bus import authority
from minipaas_lib.git import first_repository, lfs, quarantine, repository
from minipaas_lib.journal import journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.records import apps, releases


def prepare(name: str) -> str:
    """Create the temporary repository for one push and return its folder. Called by the process that becomes git.

    Raises errors.NotFound if a push may not create the app, errors.Unavailable when the disk refuses.
    """
    check(name)
    return first_repository.prepare(name)


def check(name: str) -> None:
    """Raise errors.NotFound if a push may not create an app of that name."""
    if not apps.platform().get("create-on-push", True) or apps.renamed_to(name):
        raise apps.missing(name)


def destination(name: str) -> App:
    """The app that a push goes to, even if the push is to create it. Raises errors.NotFound, errors.BadConfig."""
    try:
        return apps.load(name)
    except errors.NotFound:
        if not first_repository.repository_of(name):
            raise
        return App(name, {})


def accept(name: str, commit: str, branch: str) -> bool:
    """Create the app and link the pushed objects into its repository; return whether the app is new.

    Raises errors.MinipaasError for a commit that may not be deployed, and then no app is created.
    """
    brought = first_repository.repository_of(name)
    repository.check_commit(brought, commit)
    with locks.name_lock(name):
        new = not apps.exists(name)
        if new:
            check(name)
            journal.begin(name, "create by push")
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
                trash.discard(name)
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
    """Remove the app that this push created, unless it is live or another command is working on it."""
    try:
        with locks.name_lock(name):
            if releases.live(name) is None:
                trash.discard(name)
                output.step(f"{name} is removed again: nothing was deployed")
    except errors.MinipaasError as error:
        output.warn(f"{name} could not be removed: {error.message}")
        output.info(f"apps:destroy {name}")


def _refuse_second(name: str, commit: str, branch: str) -> None:
    """Refuse a push if the app was created since it began, with another commit on the branch."""
    app = apps.load(name)
    if app.frozen:
        raise errors.Locked(f"{name} is locked: {app.frozen}", f"apps:unlock {name}")
    if repository.head_commit(name, [branch]) not in (None, commit):
        raise errors.Conflict(
            f"{name} was created by another push in the meantime, with another commit on {branch}", "push again"
        )


def _announce(name: str) -> None:
    """Tell the user and the plugins that there is a new app."""
    import difflib

    output.step(f"Created {name}, which did not exist yet")
    near = difflib.get_close_matches(name, [known for known in apps.names() if known != name], 1)
    question = (
        f"did you mean {near[0]}?" if near and authority.allows("git-receive-pack", near[0]) else "was that a typo?"
    )
    output.hint(f"{question} To remove {name} again: ssh paas@<host> apps:destroy {name}")
    lifecycle.tell_created(apps.load(name))
