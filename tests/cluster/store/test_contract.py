"""The contract suite and the comparison with a dictionary, of the unit tests, against a real etcd of three members."""

from tests.unit.store.test_contract import *  # noqa: F403
from tests.unit.store.test_model import test_it_says_what_a_dictionary_says  # noqa: F401
