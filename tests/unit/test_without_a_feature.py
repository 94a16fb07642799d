"""Deleting a feature's folder removes the feature and breaks nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ENGINES = {"scheduler_docker", "router_nginx"}  # the only ones of their kind
FEATURES = sorted(
    path.name for path in (HOUSE / "plugins").iterdir() if (path / "plugin.toml").exists() and path.name not in ENGINES
)
STORY = """
import sys
from minipaas_lib import api, cli
from minipaas_lib.bus import index, manager
from plugins_beside import memory
from minipaas_lib.bus import active_engines
from minipaas_lib.deploy import drain, drain_worker

drain_worker.spawn = lambda app: None
scheduler, router = memory.MemoryScheduler(), memory.MemoryRouter()
active_engines._engines.update(scheduler=scheduler, router=router)
gone = sys.argv[1]
assert gone not in index.load().plugins
for command, entry in index.load().commands.items():
    assert cli.load(command, entry.plugin).name == command
store = api.kernel.store()
api.kernel.check_store(store)
api.kernel.create_app("blog")
live = api.Release(
    "blog", 1, image="sha256:1", commands={"web": "serve"}, formation={"web": 1}, processes=1, status="released"
)
api.kernel.documents.write(store, "apps/blog/releases/1.toml", live.to_document())
store.write("apps/blog/live", "1\\n")
store.write("counters/blog", "1\\n")
release = api.change("blog", "a test", force=True)
assert release.number == 2 and api.live_release("blog").number == 2 and router.routes() in (["blog"], [])
assert [process.name for process in scheduler.processes("blog")] == ["blog_v2.web.1"]
manager.call("report", app=api.app("blog"))


def run(words, *others):
    # those whose feature is there
    for line in (words, *others):
        if line.split()[0] in index.load().commands:
            tried.append(line)
            wanted = 1 if (gone, line) == ("domains", "urls blog") else 0  # without a domain there is no URL to say
            assert cli.run(line.split()) == wanted, line


tried = []
run("apps:create shop")
run("config:set blog A=1", "config:get blog A", "config:unset blog A")
run("ps:scale blog web=2", "ps:restart blog", "ps:report blog")
run("domains:add blog blog.test", "domains:report blog")
run("ports:add blog http:8080:5000", "ports:list blog")
run("checks:set blog wait-to-retire 1")
run("git:set blog deploy-branch main")
run("nginx:set blog gzip off")
run("proxy:disable blog", "proxy:enable blog")
run("builder:report blog")
run("releases blog", "releases:info blog v2", "releases:diff blog v1 v2")
run("run:detached blog true", "run:list blog", "run:stop blog --all")
run("urls blog", "report blog", "apps:report blog", "help", "version", "completion:words apps:")
run("logs blog")
run("ps:stop blog", "ps:start blog")
run("apps:clone blog copy", "apps:rename blog journal", "apps:destroy journal --force", "apps:restore journal")
features = {index.load().commands[line.split()[0]].plugin for line in tried}
assert len(tried) > 25 and len(features) > 12, (tried, features)
for name in api.app_names():
    api.kernel.destroy_app(name)
drain.forget("blog")  # what was left to the background under the old name
assert api.app_names() == [] and scheduler.processes() == [] and router.routes() == []
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


@pytest.mark.sample("without a feature", 8)  # a process of some seconds each
@pytest.mark.parametrize("feature", FEATURES)
def test_the_rest_works_without(house, tmp_path, feature):
    away = tmp_path / "away"
    shutil.move(house / "plugins" / feature, away)
    try:
        environment = {
            "PATH": os.environ["PATH"],
            "MINIPAAS_ROOT": str(tmp_path / "root"),
            "PYTHONPATH": str(house),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", STORY, feature],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert done.returncode == 0 and "went well" in done.stdout, done.stderr
    finally:
        shutil.move(away, house / "plugins" / feature)
