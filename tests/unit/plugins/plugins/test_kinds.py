"""A plugin from elsewhere of each kind, in Python and in shell, passes the conformance kit and does its work."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from minipaas_lib import api, errors
from minipaas_lib.bus import manager

HOUSE = Path(__file__).parents[4]
PLACES = {
    path.name: path
    for folder in ("docs/examples", "tests/fixtures")
    for path in (HOUSE / folder).iterdir()
    if (path / "plugin.toml").exists()
}
# kind -> the plugin in Python, the one in shell; engines are objects, which only Python can answer
KINDS = {
    "builder": ("builder_busybox", "builder_sh"),
    "scheduler": ("scheduler_py", None),
    "router": ("router_py", None),
    "datastore": ("datastore_py", "datastore_sh"),
    "notifier": ("notifier_py", "notifier"),
    "command": ("command_py", "command_sh"),
    "domain policy": ("policy_py", "domain_policy"),
    "checker": ("checker_py", "checker_sh"),
}
PLUGINS = sorted(name for pair in KINDS.values() for name in pair if name)


def test_there_is_one_of_each_kind_and_none_besides():
    assert set(PLUGINS) == set(PLACES)
    for python, shell in KINDS.values():
        assert (PLACES[python] / "hooks.py").exists() or (PLACES[python] / "commands.py").exists()
        assert shell is None or not list(PLACES[shell].rglob("*.py"))


@pytest.mark.parametrize("name", [name for name in PLUGINS if PLACES[name].parent.name == "fixtures"])
def test_it_passes_the_kit(world, plugs, monkeypatch, name):
    from plugins.plugins import kit

    monkeypatch.setattr(kit, "docker", lambda *words: False)
    result = world("plugin:test", str(PLACES[name]), "--format", "json")
    results = json.loads(result.out)
    assert result.status == 0, [one for one in results if not one["ok"]]
    tried = {one["what"].partition(":")[0] for one in results}
    assert tried >= set(
        api.kernel.manifest.read(str(PLACES[name])).get("hooks", [])
    ) and "a whole deploy, scheduler in memory" in {one["what"] for one in results}


@pytest.fixture
def house(world, fake, plugs):
    """A function that installs plugins into a world with an app that is deployed."""
    world.ok("apps:create", "blog")
    fake.deploy("blog")

    def install(*names):
        for name in names:
            world.ok("plugin:install", str(PLACES[name]))

    return install


@pytest.mark.parametrize("name", ["datastore_py", "datastore_sh"])
def test_a_datastore(house, world, fake, name):
    house(name)
    verb = name.replace("_", "-")
    world.ok(f"{verb}:link", "blog", *(["large"] if name == "datastore_sh" else []))
    fake.deploy("blog")
    url = api.live_release("blog").config["STORE_URL"]
    assert url == ("file:///store" if name == "datastore_py" else "store://large.example.org/blog")
    world.ok("apps:clone", "blog", "copy")
    assert "STORE_URL" not in api.live_release("copy").config and name not in api.app("copy").document
    world.ok("apps:rename", "blog", "journal")
    assert "STORE_URL" in api.live_release("journal").config
    if name == "datastore_py":
        folder = api.paths.plugin_data(name)
        assert os.listdir(folder) == ["journal"]
        assert api.live_release("journal").options["web"]["mounts"] == [[f"{folder}/journal", "/store", "rw"]]
        world.ok("apps:destroy", "journal", "--force", "--now")
        assert os.listdir(folder) == []


def test_a_notifier(house, fake):
    house("notifier_py")
    fake.deploy("blog")
    fake.scheduler.crashing = {"web"}
    with pytest.raises(errors.DeployFailed):
        fake.deploy("blog")
    with open(api.paths.plugin_data("notifier_py") + "/diary") as file:
        first, second = file.read().splitlines()
    assert first == "blog v2 is live" and second.startswith("blog v3 failed: ")


@pytest.mark.parametrize("name", ["command_py", "command_sh"])
def test_a_command(house, world, name):
    house(name)
    verb = name.replace("_", "-") + ":hello"
    for words, said in ((["blog"], "hello blog\n"), (["--loud", "blog"], "HELLO BLOG\n")):
        done = subprocess.run(
            [os.environ["MINIPAAS_PROGRAM"], verb, *words], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stdout) == (0, said), done.stderr
    assert world(verb, "Bad Name").status == 2 and "e.g.:" in world.ok(verb, "--help")


def test_a_domain_policy(house, world):
    house("policy_py")
    world.ok("domains:add", "blog", "blog.other.test")
    api.kernel.edit_platform(lambda document: document.update(policy_py={"domain": "company.test"}))
    assert "blog.other.test is not below company.test" in world("domains:add", "blog", "x.company.test").err
    world.ok("domains:set", "blog", "x.company.test")
    assert api.live_release("blog").routing["domains"] == ["x.company.test"]


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [("checker_py", "127.0.0.1", "does not accept"), ("checker_sh", "10.66.0.9", "10.66.0.9 is not ours")],
)
def test_a_checker(house, fake, monkeypatch, name, address, said):
    house(name)
    start = fake.scheduler.start

    def elsewhere(spec):
        process = start(spec)
        fake.scheduler.set(process.name, address=address, port=1)
        return fake.scheduler.containers[process.name]

    monkeypatch.setattr(fake.scheduler, "start", elsewhere)
    monkeypatch.setattr(fake.scheduler, "accepts", lambda address, port: True)
    monkeypatch.setattr("minipaas_lib.deploy.readiness.accepts", lambda address, port: True)
    monkeypatch.setattr("minipaas_lib.deploy.probe.accepts", lambda address, port: True)
    with pytest.raises(errors.DeployFailed, match=said):
        fake.deploy("blog")
    assert api.live_release("blog").number == 1


def test_engines(house, monkeypatch):
    from minipaas_lib.bus import active_engines

    house("scheduler_py", "router_py")
    monkeypatch.setattr(active_engines, "_engines", {})
    monkeypatch.setattr("minipaas_lib.deploy.readiness.accepts", lambda *where: True)
    release = api.change("blog", "on other engines", force=True)
    (process,) = api.scheduler().processes("blog")
    assert process.name == "blog_v2.web.1" and process.adopted and type(api.scheduler()).__name__ == "Sockets"
    assert api.router().applied("blog") == release.name and manager.first("router").routes() == ["blog"]
    api.kernel.destroy_app("blog")
    assert api.scheduler().processes() == [] and api.router().routes() == []


def test_the_builder_in_shell(house, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "docker").write_text('#!/bin/sh\ntar -t | sort > "$0.files"; echo "$@" > "$0.words"; echo sha256:9\n')
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    house("builder_sh")
    context = str(PLACES["builder_sh"] / "sample")
    assert (
        manager.call_one("detect_builder", "builder_sh", app=api.app("blog"), context=context)
        == "plain: there is a plain.txt"
    )
    about = {"app": api.app("blog"), "context": context, "commit": "", "release": 3}
    build = manager.call_one("build_image", "builder_sh", builder="plain", **about)
    assert (build.image, build.builder) == ("sha256:9", "plain") and "plain/blog:v3" in (
        tools / "docker.words"
    ).read_text()
    assert "./www/plain.txt" in (tools / "docker.files").read_text().split()
    assert manager.call_one("build_image", "builder_sh", builder="another", **about) is None
