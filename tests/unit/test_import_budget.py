"""Start-up is the product: no command imports a library that it does not need (docs/architecture.md, Start-up)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minipaas_lib.bus import catalog
from tests.unit import test_architecture as architecture

HOUSE = Path(__file__).parents[2]
HEAVY = {
    "docker",
    "requests",
    "urllib3",
    "sh",
    "etcd",
    "gevent",
    "greenlet",
    "jinja2",
    "tomlkit",
    "yaml",
    "dns",
    "idna",
    "importlib.metadata",
    "asyncio",
    "subprocess",
    "tempfile",
    "shutil",
    "socket",
    "ssl",
    "pathlib",
    "concurrent",
}
CLICK_OWN = {"importlib.metadata", "pathlib", "shutil", "tempfile", "subprocess", "socket"}  # click may load these
PROBE = """
import sys
before = set(sys.modules)
from minipaas_lib import main
status = main.main(sys.argv[1:])
after = set(sys.modules)
import json
print("PROBE" + json.dumps([status, sorted(after - before)]))
"""


def imported(world: Path, *words: str, code: str = PROBE, **environment: str) -> set[str]:
    """The modules that a command line imports, run in a process of its own."""
    env = {"PATH": os.environ["PATH"], "MINIPAAS_ROOT": str(world), "PYTHONPATH": str(HOUSE), **environment}
    done = subprocess.run([sys.executable, "-c", code, *words], env=env, capture_output=True, text=True, timeout=60)
    import json

    line = next((line for line in done.stdout.splitlines() if line.startswith("PROBE")), None)
    assert line, done.stderr
    return set(json.loads(line.removeprefix("PROBE"))[1])


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    imported(folder, "apps:create", "blog")
    imported(folder, "config:set", "blog", "A=1")
    return folder


@pytest.fixture(scope="module")
def by_click(host):
    """What click itself brings along, its help pages included."""
    code = """
import sys, json, click
click.Command("x").get_help(click.Context(click.Command("x")))
print("PROBE" + json.dumps([0, sorted(sys.modules)]))"""
    return imported(host, code=code)


@pytest.mark.parametrize(
    "words",
    [
        ["apps:list"],
        ["config:get", "blog", "A"],
        ["config:show", "blog"],
        ["domains:report", "blog"],
        ["help"],
        ["apps:create", "--help"],
        ["apps:exists", "blog"],
        ["version"],
        ["plugin:list"],
        ["completion", "bash"],
        ["completion:words", "--", "apps:d"],
        ["completion:words", "--", "config:get", "bl"],
    ],
    ids=" ".join,
)
def test_a_state_command_imports_nothing_heavy(host, by_click, words):
    assert imported(host, *words) & HEAVY - (by_click & CLICK_OWN) == set()


def test_a_command_that_reads_no_app_imports_neither_translations_nor_what_changes_apps(host):
    found = imported(host, "apps:list", LANG="de_DE.UTF-8")
    assert not found & {"locale", "signal", "select", "json", "minipaas_lib.journal.locks"}, found
    assert len(found) < 112, sorted(found)  # 106 with click 8.5: each costs a two-hundredth of a bare start of Python


def test_a_command_that_writes_state_imports_no_docker(host):
    assert not imported(host, "config:set", "--no-restart", "blog", "B=2") & {
        "docker",
        "requests",
        "gevent",
        "jinja2",
        "etcd",
    }


LONG_RUNNING = {"cluster": ("node/agent.py", "head/route_follower.py", "fleet/scheduler.py")}
"""What runs under gevent of a plugin of which not everything does."""


def test_what_runs_under_gevent_runs_no_program_by_sh():
    """It hangs there."""
    for file in (HOUSE / "plugins").glob("*/plugin.toml"):
        if "gevent" in file.read_text():
            folder = file.parent
            paths = {folder / name for name in LONG_RUNNING.get(folder.name, ())} or set(folder.rglob("*.py"))
            reached = within(folder, paths)
            assert not [path for path in reached if "api.kernel.programs" in path.read_text()]
            assert {
                path for path in folder.rglob("*.py") if re.search("^(import|from) gevent", path.read_text(), re.M)
            } <= reached


def within(folder: Path, paths: set[Path]) -> set[Path]:
    """These modules of a plugin and those of it that they import, wherever they do, directly or through others."""
    reached: set[Path] = set()
    while paths:
        reached |= paths
        named = {name for path in paths for name in architecture.imported_by(path)}
        paths = {
            HOUSE / (name.replace(".", "/") + ".py") for name in named if name.startswith(f"plugins.{folder.name}.")
        }
        paths = {path for path in paths if path.exists()} - reached
    return reached


def test_without_a_cluster_nothing_of_it_is_imported(host):
    found = imported(host, "apps:list")
    assert not {name for name in found if "etcd" in name}, found


def test_git_goes_through_without_click(host, tmp_path):
    (tmp_path / "minipaas_index.py").write_text(catalog.generate())
    repository = host / "repos/blog.git/hooks"
    repository.mkdir(parents=True)
    (repository / "pre-receive").write_text("#!/bin/sh\n")
    let_in(host, "me")
    code = PROBE.replace("before = set", "import os; os.execvp = lambda *a: None; before = set")
    found = imported(
        host, "--key", "me", code=code, SSH_ORIGINAL_COMMAND="git-upload-pack 'blog'", PYTHONPATH=f"{HOUSE}:{tmp_path}"
    )
    assert not found & (HEAVY | {"click", "pluggy", "tomllib", "re", "json", "typing", "dataclasses"}), found


@pytest.mark.parametrize("words", [["apps:list"], ["config:get", "blog", "A"]], ids=" ".join)
def test_installed_plugins_are_not_imported_by_a_command_that_does_not_need_them(tmp_path, words):
    for name in ("one", "two"):
        add_plugin(tmp_path, name)
    imported(tmp_path, "apps:create", "blog")
    imported(tmp_path, "config:set", "blog", "A=1")
    none = tmp_path / "none"
    imported(none, "apps:create", "blog")
    imported(none, "config:set", "blog", "A=1")
    assert imported(tmp_path, *words) - imported(none, *words) <= {"marshal"}


def test_git_goes_through_without_click_where_plugins_are_installed(tmp_path):
    add_plugin(tmp_path, "one")
    (tmp_path / "minipaas_index.py").write_text(catalog.generate())
    (tmp_path / "repos/blog.git/hooks").mkdir(parents=True)
    (tmp_path / "repos/blog.git/hooks/pre-receive").write_text("#!/bin/sh\n")
    let_in(tmp_path, "me")
    code = PROBE.replace("before = set", "import os; os.execvp = lambda *a: None; before = set")
    asked = {"SSH_ORIGINAL_COMMAND": "git-upload-pack 'blog'", "PYTHONPATH": f"{HOUSE}:{tmp_path}"}
    found = imported(tmp_path, "--key", "me", code=code, **asked)
    assert not found & (HEAVY | {"click", "pluggy", "tomllib", "re", "json", "typing", "dataclasses"}), found


def let_in(world: Path, key: str) -> None:
    """As sshd's file of a world names a key."""
    (world / "ssh").mkdir()
    (world / "ssh/authorized_keys").write_text(f'restrict,pty,command="minipaas --key {key}" ssh-ed25519 AAAA\n')


def add_plugin(world: Path, name: str) -> None:
    """A plugin with a hook, in the index of a world."""
    folder = world / "plugins" / name
    folder.mkdir(parents=True)
    about = f'api = 1\nname = "{name}"\nversion = "1"\nsummary = "For a test"\nhooks = ["after_deploy"]\n'
    (folder / "plugin.toml").write_text(about)
    (folder / "hooks.py").write_text("")
    code = "from minipaas_lib.bus import manager; manager.reindex()"
    environment = {"MINIPAAS_ROOT": str(world), "PYTHONPATH": str(HOUSE), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
