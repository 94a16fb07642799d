"""Deploys that are not pushes: their content becomes a commit, which is deployed like that of a push."""

import contextlib

from minipaas_lib.git import repository
from minipaas_lib.journal import cancellation, locks
from minipaas_lib.records import apps


@contextlib.contextmanager
def incoming(name: str):
    """Hold the app's lock and ensure its repository, for repository.commit_tree and receive.deploy_commit.

    A hang-up of the client before traffic moves raises errors.Cancelled inside. Raises errors.NotFound, errors.Locked.
    """
    apps.load(name)
    with locks.app_lock(name), cancellation.cancellable():
        repository.create(name)
        try:
            yield
        finally:
            repository.drop_incoming(name)
