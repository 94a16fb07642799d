from minipaas_lib.cluster_settings import ClusterSettings
from plugins.cluster import joining


def test_ports_that_processes_of_apps_are_kept_from():
    found = ClusterSettings(("http://10.0.0.1:2379", "https://10.0.0.2:12379"), fleet="http://10.0.0.1:50000,http://10.0.0.2")
    assert joining.ports_of(found) == (2379, 2380, 4001, 7001, 7390, 7391, 12379, 49153, 50000)
    behind = ClusterSettings(("https://etcd.example.org:443", "http://etcd.example.org"), fleet="unix:///run/fleet.sock")
    assert joining.ports_of(behind) == tuple(sorted(joining.INNER)), "the web stays open to apps"
