"""The user data of a node, read back by a YAML parser as the machine reads it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from plugins.cluster.head import cloud_config

MEMBERS = {"node1": "http://10.0.0.1:2380", "node2": "http://10.0.0.2:2380", "node3": "http://10.0.0.3:2380"}
CLUSTER = "node1=http://10.0.0.1:2380,node2=http://10.0.0.2:2380,node3=http://10.0.0.3:2380"


def read(node, members=MEMBERS, metadata=None) -> dict:
    text = cloud_config.text(node, members, metadata or {})
    assert text.startswith("#cloud-config\n")
    return yaml.safe_load(text)


def test_a_member_keeps_etcd():
    coreos = read("node2")["coreos"]
    assert coreos["etcd2"] == {
        "name": "node2",
        "initial-cluster": CLUSTER,
        "initial-cluster-state": "new",
        "initial-advertise-peer-urls": "http://10.0.0.2:2380",
        "listen-peer-urls": "http://10.0.0.2:2380",
        "advertise-client-urls": "http://10.0.0.2:2379",
        "listen-client-urls": "http://0.0.0.0:2379",
    }


def test_members_of_an_etcd_whose_peers_use_other_ports():
    coreos = read("a", {"a": "http://10.0.0.1:7001", "b": "http://[fd00::2]:2381/", "c": "http://etcd.example.org"})[
        "coreos"
    ]
    assert coreos["etcd2"]["advertise-client-urls"] == "http://10.0.0.1:2379"
    asked = "http://127.0.0.1:2379,http://10.0.0.1:2379,http://[fd00::2]:2379,http://etcd.example.org:2379"
    assert coreos["fleet"]["etcd-servers"] == asked


def test_any_other_node_asks_the_members_through_a_proxy():
    etcd = read("node4")["coreos"]["etcd2"]
    assert etcd["proxy"] == "on" and etcd["initial-cluster"] == CLUSTER
    assert not [key for key in etcd if key.startswith(("initial-advertise", "listen-peer"))]


def test_what_every_node_starts():
    found = read("node1", metadata={"disk": "ssd"})
    assert found["hostname"] == "node1"
    assert found["coreos"]["fleet"]["metadata"] == "node=node1,disk=ssd"
    assert found["coreos"]["fleet"]["agent-ttl"] == "60s"
    asked = "http://127.0.0.1:2379,http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379"
    assert found["coreos"]["fleet"]["etcd-servers"] == asked, "one member of etcd that is away is no loss"
    units = {unit["name"]: unit for unit in found["coreos"]["units"]}
    assert list(units) == ["docker.service", "etcd2.service", "fleet.socket", "fleet.service"]
    assert all(unit["command"] == "start" and unit["enable"] is True for unit in units.values())
    assert units["fleet.socket"]["drop-ins"][0]["content"] == "[Socket]\nListenStream=$private_ipv4:49153\n"


def test_members():
    assert cloud_config.parse_members("node1=10.0.0.1, node2=fd00::2") == {
        "node1": "http://10.0.0.1:2380",
        "node2": "http://[fd00::2]:2380",
    }
    for bad in (
        "",
        "node1",
        "node1=",
        "node1=host",
        "N=10.0.0.1",
        "a=10.0.0.1,a=10.0.0.2",
        'a"=10.0.0.1',
        "a=10.0.0.1:1",
    ):
        with pytest.raises(errors.UsageError):
            cloud_config.parse_members(bad)


def test_metadata():
    assert cloud_config.parse_metadata("") == {}
    assert cloud_config.parse_metadata("disk=ssd,zone=b-1") == {"disk": "ssd", "zone": "b-1"}
    for bad in ("disk", "=x", "disk=", "node=x", "a=b c", 'a="', "a=1,a=2", "a=b=c"):
        with pytest.raises(errors.UsageError):
            cloud_config.parse_metadata(bad)


names = st.from_regex(cloud_config.NAME, fullmatch=True)
tags = st.dictionaries(*[st.from_regex(cloud_config.TAG, fullmatch=True)] * 2, max_size=3)


@given(node=names, members=st.dictionaries(names, st.ip_addresses(), min_size=1, max_size=4), metadata=tags)
def test_whatever_is_let_in_comes_out_as_it_was(node, members, metadata):
    metadata.pop("node", None)
    chosen = cloud_config.parse_members(",".join(f"{name}={address}" for name, address in members.items()))
    coreos = read(
        node, chosen, cloud_config.parse_metadata(",".join(f"{key}={value}" for key, value in metadata.items()))
    )["coreos"]
    assert coreos["etcd2"]["initial-cluster"] == ",".join(f"{name}={url}" for name, url in chosen.items())
    assert coreos["fleet"]["metadata"] == ",".join(
        f"{key}={value}" for key, value in {"node": node, **metadata}.items()
    )


@given(st.text(max_size=30))
def test_any_text_is_a_list_of_members_or_refused(text):
    try:
        assert all(url.startswith("http://") for url in cloud_config.parse_members(text).values())
    except errors.UsageError:
        pass


def test_what_etcd_says_of_its_members():
    answer = {"members": [{"id": "1", "name": "node1", "peerURLs": ["http://10.0.0.1:2380"], "clientURLs": []}]}
    assert cloud_config.members_in(answer) == {"node1": "http://10.0.0.1:2380"}
    bad = [
        None,
        [],
        {},
        {"members": []},
        {"members": [{"name": "", "peerURLs": ["http://10.0.0.1:2380"]}]},
        {"members": [{"name": "a", "peerURLs": []}]},
        {"members": [{"name": "a", "peerURLs": ['http://a"\nb']}]},
    ]
    for one in bad:
        with pytest.raises(errors.Unavailable):
            cloud_config.members_in(one)


def test_the_command(world):
    out = world.ok("cluster:cloud-config", "--node", "node1", "--members", "node1=10.0.0.1", "--metadata", "disk=ssd")
    assert yaml.safe_load(out)["coreos"]["etcd2"]["name"] == "node1"
    assert "--members" in world.refused("cluster:cloud-config")
    world.refused("cluster:cloud-config", "--node", "Node 1", "--members", "node1=10.0.0.1")
