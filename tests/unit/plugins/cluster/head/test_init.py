import pytest

from minipaas_lib import api
from minipaas_lib.cluster_settings import ClusterSettings
from plugins.cluster.head import head_registry, init, node_image_delivery, rolling_upgrade, saved_options

FOUND = ClusterSettings(("http://127.0.0.1:2379",))


def test_ports_that_processes_of_apps_are_kept_from():
    found = ClusterSettings(
        ("http://10.0.0.1:2379", "https://10.0.0.2:12379"), fleet="http://10.0.0.1:50000,http://10.0.0.2"
    )
    assert api.kernel.cluster.inner_ports(found) == (2379, 2380, 4001, 7001, 7390, 7391, 12379, 49153, 50000)
    behind = ClusterSettings(
        ("https://etcd.example.org:443", "http://etcd.example.org"), fleet="unix:///run/fleet.sock"
    )
    assert api.kernel.cluster.inner_ports(behind) == tuple(sorted(api.kernel.cluster.INNER_PORTS)), (
        "the web stays open to apps"
    )


@pytest.fixture
def store(world, monkeypatch):
    """What stands for etcd: the host's own folder."""
    monkeypatch.setattr(api.kernel, "open_cluster", lambda found: api.kernel.store(), raising=False)
    return api.kernel.store()


def test_what_was_said_to_init_need_not_be_said_again(store):
    assert init.choices(FOUND, "", "") == ("debian:12-slim", "127.0.0.1"), "as is usual"
    assert init.choices(FOUND, "mine:1", "10.0.0.9") == ("mine:1", "10.0.0.9")
    saved_options.write(saved_options.JOINING, FOUND, id="x", base="mine:1", address="127.0.0.2")
    assert init.choices(FOUND, "", "") == ("mine:1", "127.0.0.2"), "it was interrupted"
    saved_options.remove(saved_options.JOINING)
    rolling_upgrade.note(store, "minipaas-node:1", "mine:2")
    head_registry.register(store, "127.0.0.3")
    assert init.choices(FOUND, "", "") == ("mine:2", "127.0.0.3"), "it was done"
    assert init.choices(FOUND, "mine:3", "127.0.0.4") == ("mine:3", "127.0.0.4")


@pytest.mark.parametrize("known", ["192.0.2.77", "", "no address", "::ffff:192.0.2.77"])
def test_an_address_that_this_host_no_longer_has_is_found_anew(store, known):
    head_registry.register(store, known)
    assert not node_image_delivery.is_ours(known) and init.choices(FOUND, "", "")[1] == "127.0.0.1"
