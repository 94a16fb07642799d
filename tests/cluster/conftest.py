"""Fixtures of the cluster tests: three nodes for the whole run, with the double of fleetd or, asked for, the real one.

FLEETD and FLEETCTL name the real daemon's binaries. Without them only the double is tested, and the summary says so.
"""

import os

import pytest

from tests.cluster import nodes

FIXTURES_TOO = 600  # seconds; the first test waits for the image of the nodes to be made
REAL = os.environ.get("FLEETD")
DAEMONS = ["double", "real"] if REAL else ["double"]


@pytest.fixture(scope="session")
def cluster():
    """Three nodes. A TTL of 10 s instead of 30 makes losses quicker to see."""
    with nodes.Cluster(FLEET_AGENT_TTL="10s") as made:
        yield made


@pytest.fixture(scope="module", params=DAEMONS)
def daemon(request, cluster):
    """The kind of fleet that the nodes run; all tests of a module with one, then with the other."""
    if (cluster.fleetd is not None) != (request.param == "real"):
        cluster.use(REAL if request.param == "real" else None)
    return request.param


def pytest_collection_modifyitems(items):
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIXTURES_TOO))


def pytest_terminal_summary(terminalreporter):
    ran = [report for reports in terminalreporter.stats.values() for report in reports if hasattr(report, "nodeid")]
    if not REAL and any("[double]" in report.nodeid for report in ran):
        terminalreporter.write_line("NOT RUN: the cluster tests with a real fleetd, since FLEETD names none")
