import pytest

from minipaas_lib import api
from plugins.scheduler_docker import network


class Docker:
    """Refuses our network as dockerd does while another process is making one; that one comes after `looks` looks."""

    def __init__(self, looks):
        self.looks, self.asked = looks, 0

    def connect(self):
        return self

    def inspect_network(self, name):
        import docker.errors

        if self.asked < self.looks:
            raise docker.errors.NotFound("no such network")
        return {"Name": name, "IPAM": {"Config": [{"Subnet": "10.143.0.0/16"}]}}

    def networks(self, names=None):
        self.asked += 1
        return [{"Name": name, "IPAM": {"Config": []}} for name in names or [] if self.asked >= self.looks]

    def create_network(self, *_, **__):
        import docker.errors
        import requests

        refusal = requests.Response()
        refusal.status_code = 403
        raise docker.errors.APIError("Forbidden", refusal, "Pool overlaps with other one on this address space")


def test_a_network_that_another_process_is_making_is_waited_for(world):
    found = network.ensure(Docker(3), record=False)
    assert (found.name, found.subnet) == ("minipaas", "10.143.0.0/16")


def test_addresses_that_something_else_has_are_told_of(world, monkeypatch):
    monkeypatch.setattr(network, "_MAKING", 0.2)
    with pytest.raises(api.errors.Unavailable, match="Pool overlaps"):
        network.ensure(Docker(10**9), record=False)
