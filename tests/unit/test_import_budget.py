"""Start-up is the product: no command imports a library that it does not need (DESIGN 10)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minipaas_lib.bus import index

HOUSE = Path(__file__).parents[2]
HEAVY = {
    "docker", "requests", "urllib3", "sh", "etcd", "gevent", "greenlet", "jinja2", "tomlkit", "dns", "idna",
    "importlib.metadata", "asyncio", "subprocess", "tempfile", "shutil", "socket", "ssl", "pathlib", "concurrent",
}  # fmt: skip
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
    [["apps:list"], ["config:get", "blog", "A"], ["config:show", "blog"], ["domains:report", "blog"], ["help"],
     ["apps:create", "--help"], ["apps:exists", "blog"], ["version"], ["plugin:list"]],
    ids=" ".join,
)  # fmt: skip
def test_a_state_command_imports_nothing_heavy(host, by_click, words):
    assert imported(host, *words) & HEAVY - (by_click & CLICK_OWN) == set()


def test_a_command_that_writes_state_imports_no_docker(host):
    assert not imported(host, "config:set", "--no-restart", "blog", "B=2") & {"docker", "requests", "gevent", "jinja2", "etcd"}


def test_git_goes_through_without_click(host, tmp_path):
    (tmp_path / "minipaas_index.py").write_text(index.generate())
    repository = host / "repos/blog.git/hooks"
    repository.mkdir(parents=True)
    (repository / "pre-receive").write_text("#!/bin/sh\n")
    code = PROBE.replace("before = set", "import os; os.execvp = lambda *a: None; before = set")
    found = imported(host, "--key", "me", code=code, SSH_ORIGINAL_COMMAND="git-upload-pack 'blog'", PYTHONPATH=f"{HOUSE}:{tmp_path}")
    assert not found & (HEAVY | {"click", "pluggy", "tomllib", "re", "json", "typing", "dataclasses"}), found
