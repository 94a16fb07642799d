"""No request fails under load: the short version of bench/load."""

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.serial  # it measures

BENCH = Path(__file__).parents[2] / "bench" / "load"


@pytest.mark.timeout(600)
def test_no_request_fails_through_deploys_rollbacks_scaling_and_restarts(host):
    done = subprocess.run([BENCH, "--quick", "--check"], capture_output=True, text=True, timeout=550)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.findall(r"^(.*): (\d+) requests, 0 failed", done.stdout, re.MULTILINE)
    assert len(counts) == 2 and all(int(count) > 500 for _, count in counts)
    assert "slow requests and WebSockets, 0 failed" in done.stdout
