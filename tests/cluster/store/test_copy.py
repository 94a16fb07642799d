"""The tests of copying, with etcd as the other store."""

from tests.unit.store.test_copy import *  # noqa: F403
