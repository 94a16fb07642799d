"""Renaming an app, killed at each step too, with the state in etcd."""

from tests.cluster.store.test_recovery import world  # noqa: F401
from tests.unit.conftest import fake, plugs  # noqa: F401
from tests.unit.pipeline.test_rename import *  # noqa: F403
