"""What comes to an app otherwise than by a push: it is made a commit, and then it is deployed as a push is."""

import contextlib

from minipaas_lib.git import repository
from minipaas_lib.journal import cancellation, locks
from minipaas_lib.records import apps


@contextlib.contextmanager
def incoming(name: str):
    """Hold the app's lock and have its repository there, for repository.commit_tree and receive.deploy_commit.

    A hang-up of the client until traffic moves raises errors.Cancelled inside. Raises errors.NotFound, errors.Locked.
    """
    apps.load(name)
    with locks.app_lock(name), cancellation.cancellable():
        repository.create(name)
        try:
            yield
        finally:
            repository.drop_incoming(name)
