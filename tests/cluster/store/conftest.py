"""One etcd of three members for the whole run; every test finds it whole and empty."""

import pytest

pytest.register_assert_rewrite("tests.unit.store.test_contract", "tests.unit.store.test_model")

from minipaas_lib.store.etcd import EtcdStore  # noqa: E402
from tests.cluster.etcd import EtcdCluster  # noqa: E402
from tests.unit.store.conftest import fork, until  # noqa: E402, F401


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    with EtcdCluster(tmp_path_factory.mktemp("etcd")) as cluster:
        yield cluster


@pytest.fixture
def cluster(running):
    """Three members that run. A test may do with them what it wants."""
    running.mend()
    running.clear()
    yield running


@pytest.fixture
def opener(cluster):
    return lambda **options: EtcdStore(cluster.urls, **options)


@pytest.fixture
def store(opener):
    return opener()
