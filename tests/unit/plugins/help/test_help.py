"""help, in its many spellings."""

import json
import subprocess
import sys

import pytest

from minipaas_lib import cli, paths
from minipaas_lib.bus import index


def test_help_lists_every_command_but_hidden_ones(world):
    said = world.ok("help")
    for name, entry in index.load().commands.items():
        assert (f"  {name} " in said) != entry.hidden
        assert entry.hidden or entry.help in said


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_ways_to_ask_for_all(world, argv):
    assert world.ok(*argv) == world.ok("help")


@pytest.mark.parametrize("argv", [["help", "git"], ["git:help"], ["git"]])
def test_ways_to_ask_for_a_noun(world, argv):
    said = world.ok(*argv)
    assert "git:set" in said and "git:report" in said and "git:pre-receive" not in said and "apps:" not in said


@pytest.mark.parametrize("argv", [["help", "ps:scale"], ["ps:scale", "--help"], ["ps:scale", "-h"]])
def test_ways_to_ask_for_a_command(world, argv):
    said = world.ok(*argv)
    assert said.startswith("Usage: ps:scale [OPTIONS] <app>") and "e.g.: ps:scale blog" in said


def test_a_noun_that_is_also_a_command(world):
    assert "logs:failed" in world.ok("help", "logs")
    assert world.ok("help", "url").startswith("Usage: url")


def test_json(world):
    found = json.loads(world.ok("help", "checks", "--format", "json"))
    assert found["checks:report"] == "Report how an app is checked" and all(
        name.startswith("checks:") for name in found
    )


def test_help_for_nothing(world):
    assert "did you mean apps?" in world.refused("help", "app")
    world.refused("help", "\x1b[31m")


def test_help_needs_no_store(world, monkeypatch):
    monkeypatch.setattr("minipaas_lib.store.schema.check", lambda store: 1 / 0)
    world.ok("help")
    world.ok("version")
    assert world("apps:list").status == 1


def test_a_store_of_a_newer_version_is_refused(world):
    with open(f"{world.root}/state/platform.toml", "w") as file:
        file.write("schema = 99\n")
    result = world("apps:list")
    assert result.status == 78 and "newer minipaas" in result.err


def test_hidden_commands_are_not_suggested(world):
    assert "git:pre-receive" not in world("git:pre-recieve").err


def test_help_loads_no_other_plugin(world):
    code = "import sys; from minipaas_lib import cli; cli.run(['help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.source(), capture_output=True, text=True
    ).stderr.split()
    assert {name for name in loaded if name.startswith("plugins.") and name.count(".") == 2} == {
        "plugins.help.commands"
    }
    assert not {"pluggy", "tomlkit", "docker", "subprocess"} & set(loaded)


def test_meant():
    assert cli.parse(["--version"]) == ("version", [])
    assert cli.parse(["apps:help"]) == ("help", ["apps"])
    assert cli.parse(["help", "apps:create"]) == ("apps:create", ["--help"])
    assert cli.parse(["nonsense", "a"]) == ("nonsense", ["a"])
