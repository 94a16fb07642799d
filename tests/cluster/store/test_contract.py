"""The contract suite of the unit tests against a real etcd of three members."""

from tests.unit.store.test_contract import *  # noqa: F403
