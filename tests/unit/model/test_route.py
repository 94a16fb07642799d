"""Routes as plain data."""

import ipaddress

from minipaas_lib.model import route


def test_placeholders_are_addresses_of_their_own_that_nobody_has():
    addresses = [ipaddress.ip_address(backend.address) for backend in route.stand_ins(600)]
    assert len(set(addresses)) == 600
    assert all(address in ipaddress.ip_network("198.18.0.0/15") for address in addresses)


def test_without_settings_a_route_leads_from_port_80_to_the_release():
    made = route.make_route("blog", "v1", {"domains": ["a.example"]}, 5000, [])
    assert made and made.listeners == (route.Listener("http", 80, 5000),)
    assert route.make_route("blog", "v1", {"enabled": False}, 5000, []) is None
