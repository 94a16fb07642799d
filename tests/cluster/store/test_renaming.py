"""Renaming an app, killed at each step too, with the state in etcd: a sample, as in test_recovery.py."""

import pytest

from tests.cluster.store.test_recovery import world  # noqa: F401
from tests.unit.apps.test_rename import *  # noqa: F403
from tests.unit.conftest import fake, plugs  # noqa: F401

pytestmark = pytest.mark.sample("a renaming killed over etcd", 10)
