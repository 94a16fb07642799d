import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.scheduler_docker import addresses

SUBNET = "10.87.0.0/22"  # 1024 addresses: network, gateway, 766 for processes, 256 dynamic
FIXED = [str(ipaddress.ip_network(SUBNET)[number]) for number in range(2, 768)]


@given(
    st.sets(st.sampled_from(FIXED), max_size=len(FIXED)),
    st.sampled_from(["", "junk", "10.88.0.1", "10.87.3.9", *FIXED]),
)
def test_next_address_is_free_and_fixed(taken, last):
    found = addresses.next_address(SUBNET, taken, last)
    if len(taken) == len(FIXED):
        assert found is None
    else:
        assert found in set(FIXED) - taken


@given(st.integers(1, 40))
def test_an_address_comes_back_only_after_all_others(count):
    last, given_out = "", []
    for _ in range(len(FIXED)):
        last = addresses.next_address(SUBNET, set(), last)
        given_out.append(last)
    assert sorted(given_out) == sorted(FIXED)
    assert addresses.next_address(SUBNET, set(), last) == given_out[0]
    # With some in use, the one just given back is still the last to be given again.
    in_use = set(given_out[:count])
    assert addresses.next_address(SUBNET, in_use, given_out[-1]) == given_out[count]


def test_the_only_free_address_is_found_even_if_it_was_the_last():
    only = FIXED[5]
    assert addresses.next_address(SUBNET, set(FIXED) - {only}, only) == only


def test_gateway_and_dynamic_range():
    assert addresses.gateway("10.87.0.0/16") == "10.87.0.1"
    assert addresses.dynamic_range("10.87.0.0/16") == "10.87.255.0/24"
    assert addresses.dynamic_range("192.168.224.0/20") == "192.168.239.0/24"


@given(st.lists(st.sampled_from(list(addresses.candidates())), max_size=30))
def test_free_subnet_overlaps_nothing(used):
    found = ipaddress.ip_network(addresses.free_subnet(used))
    assert not any(found.overlaps(ipaddress.ip_network(subnet)) for subnet in used)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        ([], "10.87.0.0/16"),
        (["fd00::/64", "172.17.0.0/16"], "10.87.0.0/16"),
        (["10.87.3.0/24"], "10.143.0.0/16"),
        (["10.0.0.0/8"], "172.30.0.0/16"),
        (["10.0.0.0/8", "172.16.0.0/12"], "192.168.224.0/20"),
        (["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"], None),
    ],
)
def test_free_subnet(used, expected):
    assert addresses.free_subnet(used) == expected


def test_candidates_are_private():
    assert all(ipaddress.ip_network(subnet).is_private for subnet in addresses.candidates())


def test_routed_subnets():
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "\n"
    )
    assert addresses.routed_subnets(table) == ["172.17.0.0/16", "192.0.2.0/24"]
