"""A command killed before and after each of its steps, with the state in etcd: what the next one makes of it.

The unit tests try all of it each time with the state in a folder; of the same with etcd, a sample runs.
"""

import os

import pytest

from minipaas_lib import cluster_settings, paths
from minipaas_lib.cluster_settings import ClusterSettings
from minipaas_lib.journal import journal
from minipaas_lib.store import layout, open_store
from tests import kill_points
from tests.unit.apps import test_crash as crash
from tests.unit.apps.test_crash import *  # noqa: F403
from tests.unit.conftest import fake, make_world  # noqa: F401

pytestmark = pytest.mark.sample("killed commands over etcd", 30)
del test_a_step_costs_next_to_nothing  # noqa: F821  # here it is a write; bench has the figure


def use_head(folder, urls, monkeypatch) -> None:
    """From here on we are the head whose files are in `folder`."""
    folder.mkdir()
    monkeypatch.setenv("MINIPAAS_ROOT", str(folder))
    cluster_settings.write(ClusterSettings(urls))


@pytest.fixture
def world(cluster, tmp_path, monkeypatch, capsys):
    use_head(tmp_path / "root", cluster.urls, monkeypatch)
    return make_world(tmp_path, monkeypatch, capsys)


@pytest.mark.sample("another head goes on", 10)
@pytest.mark.parametrize("name", ["config", "up", "deploy"])
@pytest.mark.parametrize("number", range(1, 14))
def test_another_head_goes_on(blog, mortal, cluster, tmp_path, monkeypatch, name, number):
    """The head died with its disk: the other one has nothing but the address of etcd."""
    before = open_store().read("apps/blog/app.toml").text
    killed = mortal(lambda: crash.OPERATIONS[name](blog), f"{number} after")
    with open(os.path.join(paths.root(), kill_points.FAULTS + ".seen")) as file:
        seen = file.read()
    use_head(tmp_path / "other", cluster.urls, monkeypatch)
    assert not killed or (journal.last_step("blog") and journal.last_step("blog") in seen)
    crash.next_command()
    os.makedirs(paths.work(), exist_ok=True)
    crash.check(blog, before)
    assert not open_store().exists(layout.step("blog"))
