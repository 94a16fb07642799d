"""Last of all, when the whole suite ran: no command is without a test that used it over ssh."""

import json
import os

import pytest


@pytest.mark.skipif(os.environ.get("MINIPAAS_ALL_HOST_TESTS") != "1", reason="only after the whole suite: tests/run")
def test_zz_every_command_was_exercised_over_ssh(host):
    index = json.loads(host.ssh("help", "--format", "json").stdout)
    assert len(index) > 60
    assert not set(index) - host.succeeded, "give each of these a test in test_commands.py that looks at what it did"
