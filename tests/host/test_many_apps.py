"""A store of 500 apps is about as quick as one of five."""

import json
import os
import shutil
import statistics
import subprocess
import time

import pytest
from conftest import MINIPAAS

pytestmark = pytest.mark.serial  # it measures

ROUNDS = 15


def make_world(root, count: int) -> dict:
    """A scratch world with `count` apps that have been deployed once; the environment that leads there."""
    environment = os.environ | {"MINIPAAS_ROOT": str(root)}
    subprocess.run([MINIPAAS, "apps:create", "app-0"], env=environment, check=True, capture_output=True)
    first = root / "state/apps/app-0"
    release = (
        'app = "app-0"\n'
        "number = 1\n"
        'image = "sha256:00"\n'
        'created = "2026-01-01T00:00:00Z"\n'
        'status = "released"\n'
        "processes = 1\n"
    )
    (first / "releases").mkdir(exist_ok=True)
    (first / "releases/1.toml").write_text(release)
    for number in range(1, count):
        shutil.copytree(first, root / f"state/apps/app-{number}")
    return environment


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The environments of a world of five apps and of one of 500."""
    made = {count: make_world(tmp_path_factory.mktemp(f"world-{count}"), count) for count in (5, 500)}
    yield made
    for environment in made.values():
        shutil.rmtree(environment["MINIPAAS_ROOT"])


def seconds(environment, *words: str) -> float:
    start = time.perf_counter()
    subprocess.run([MINIPAAS, *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def test_500_apps_are_listed(worlds):
    listed = subprocess.run(
        [MINIPAAS, "apps:list", "--format", "json"], env=worlds[500], check=True, capture_output=True
    ).stdout
    assert set(json.loads(listed)) == {f"app-{number}" for number in range(500)}


@pytest.mark.parametrize("words", [["apps:list"], ["config:keys", "app-3"], ["apps:exists", "app-3"]], ids=" ".join)
def test_a_command_with_500_apps_takes_at_most_half_as_long_again_as_with_5(worlds, words):
    for environment in worlds.values():
        seconds(environment, *words)
    times = {count: [] for count in worlds}
    for _ in range(ROUNDS):
        for count, environment in worlds.items():
            times[count].append(seconds(environment, *words))
    few, many = (statistics.median(times[count]) for count in (5, 500))
    print(f"{' '.join(words)}: {few * 1000:.0f} ms with 5 apps, {many * 1000:.0f} ms with 500")
    assert many <= 1.5 * few
