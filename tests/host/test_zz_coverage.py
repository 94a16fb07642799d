"""Last of all, when the whole suite ran: no command is without a test that used it over ssh."""

import json
import os

import pytest

# What needs nodes: the tests in tests/cluster use these.
NODES = {
    "cluster:init",
    "cluster:leave",
    "cluster:drain",
    "cluster:undrain",
    "cluster:remove",
    "cluster:join-head",
    "cluster:renew-certificates",
}


@pytest.mark.serial  # in the group that runs last, whose last file this is
@pytest.mark.skipif("MINIPAAS_COMMANDS_USED" not in os.environ, reason="only after the whole suite: tests/run")
def test_zz_every_command_was_exercised_over_ssh(host):
    index = json.loads(host.ssh("help", "--format", "json").stdout)
    assert len(index) > 60
    missing = sorted(set(index) - host.note_commands() - NODES)
    assert not missing, "give each of these a test in test_commands.py that looks at what it did"
