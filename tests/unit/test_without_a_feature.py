"""Deleting a feature's folder removes the feature and breaks nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ENGINES = {"scheduler_docker", "router_nginx"}  # the only ones of their kind
FEATURES = sorted(path.name for path in (HOUSE / "plugins").iterdir() if (path / "plugin.toml").exists() and path.name not in ENGINES)
STORY = """
import sys
from minipaas_lib import api, cli
from minipaas_lib.bus import index, manager
from plugins_beside import memory
from minipaas_lib.pipeline import engines, retire

retire.spawn = lambda app: None
scheduler, router = memory.MemoryScheduler(), memory.MemoryRouter()
engines._engines.update(scheduler=scheduler, router=router)
gone = sys.argv[1]
assert gone not in index.load().plugins
for command, entry in index.load().commands.items():
    assert cli.load(command, entry.plugin).name == command
store = api.store()
api.check_store(store)
api.create_app("blog")
live = api.Release("blog", 1, image="sha256:1", commands={"web": "serve"}, formation={"web": 1}, processes=1, status="released")
api.documents.write(store, "apps/blog/releases/1.toml", live.to_document())
store.write("apps/blog/live", "1\\n")
store.write("counters/blog", "1\\n")
release = api.change("blog", "a test", force=True)
assert release.number == 2 and api.live_release("blog").number == 2 and router.routes() in (["blog"], [])
assert [process.name for process in scheduler.processes("blog")] == ["blog_v2.web.1"]
manager.call("report", app=api.app("blog"))
api.destroy_app("blog")
assert api.app_names() == []
print("went well")
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the house whose features can be taken away."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("minipaas_lib", "plugins", "hooks", "nginx"):
        shutil.copytree(HOUSE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "plugins_beside").mkdir()
    shutil.copy(HOUSE / "plugins/plugins/memory.py", folder / "plugins_beside/memory.py")
    return folder


@pytest.mark.parametrize("feature", FEATURES)
def test_the_rest_works_without(house, tmp_path, feature):
    away = tmp_path / "away"
    shutil.move(house / "plugins" / feature, away)
    try:
        environment = {"PATH": os.environ["PATH"], "MINIPAAS_ROOT": str(tmp_path / "root"), "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", STORY, feature], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0 and "went well" in done.stdout, done.stderr
    finally:
        shutil.move(away, house / "plugins" / feature)
