"""What a shell offers after TAB, and the scripts that ask for it."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minipaas_lib import errors
from minipaas_lib.bus import index, manifest
from plugins.completion import commands, scripts


@pytest.fixture
def blog(world, fake):
    world.ok("apps:create", "blog")
    world.ok("apps:create", "blue")
    world.ok("ps:scale", "blog", "web=2", "worker=1")
    fake.deploy("blog", {"web": "serve", "worker": "work"})
    world.ok("config:set", "blog", "COLOUR=red", "COUNT=1")
    return world


def offered(world, *words: str, key: str = "root") -> list[str]:
    result = world("completion:words", "--", *words, key=key)
    assert result.status == 0 and result.err == ""
    return result.out.splitlines()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["apps:re"], ["apps:rename", "apps:report", "apps:restore"]),
        (["apps:destroy", "bl"], ["blog", "blue"]),
        (["apps:destroy", "--force", "blo"], ["blog"]),
        (["apps:destroy", "--fo"], ["--force"]),
        (["apps:rename", "blog", "blu"], ["blue"]),
        (["apps:list", "--format", ""], ["stdout", "json"]),
        (["apps:list", "--format", "j"], ["json"]),
        (["apps:list", "--format=j"], ["--format=json"]),
        (["ps:scale", "blog", "w"], ["web=", "worker="]),
        (["enter", "blog", "w"], ["web", "web.1", "web.2", "worker", "worker.1"]),
        (["config:get", "bl"], ["blog", "blue"]),
        (["config:get", "blog", "CO"], ["COLOUR", "COUNT"]),
        (["config:set", "blog", "CO"], ["COLOUR=", "COUNT="]),
        (["ps:report", "blo"], ["blog"]),
        (["help", "apps:cr"], ["apps:create"]),
        (["completion", ""], ["bash", "zsh"]),
        (["apps:list", "x"], []),
        (["nonsense", ""], []),
        (["apps:destroy", "nobody", ""], []),
        (["enter", "nobody", ""], []),
        (["config:get", "../x", ""], []),
        (["git:pre-receive", ""], []),
        (["enter", "Bad Name", ""], []),
    ],
)
def test_what_is_offered(blog, words, found):
    assert offered(blog, *words) == found


def test_all_commands_but_hidden_ones_and_over_ssh_those_for_root(blog):
    entries = index.load().commands
    assert offered(blog, "") == offered(blog) == sorted(name for name, entry in entries.items() if not entry.hidden)
    over_ssh = offered(blog, "", key="anna")
    assert "plugin:install" not in over_ssh and "plugin:list" in over_ssh and "apps:list" in over_ssh


def test_commands_of_plugins_from_elsewhere(blog, plugs):
    toml = """
[commands."paint:set"]
help = "Paint"
arguments = ["<app>", "<colour>"]
options = { "--mode=<mode>" = "How", "--of=<app>" = "Whose" }
values = { colour = ["red", "green"], mode = ["thick", "thin"] }
"""
    plugs.add("paint", [], toml, commands__paint__set="")
    os.rename(
        os.path.join(plugs.folder, "paint/commands/paint/set"), os.path.join(plugs.folder, "paint/commands/paint:set")
    )
    with open(os.path.join(plugs.folder, "paint/commands/paint:set"), "w") as file:
        file.write("#!/bin/sh\n")
    os.chmod(os.path.join(plugs.folder, "paint/commands/paint:set"), 0o755)
    plugs.use()
    code = (
        "import click\n"
        "from minipaas_lib import api\n\n\n"
        "@api.commands.command('brush:set')\n"
        "@api.commands.app_argument\n"
        "@click.argument('size', type=click.Choice(['small', 'large']))\ndef brush_set(app, size):\n    pass\n"
    )
    plugs.add("brush", [], '[commands]\n"brush:set" = "Choose a brush"\n', commands_py=code)
    assert offered(blog, "paint:set", "blo") == ["blog"] and offered(blog, "paint:set", "blog", "") == ["red", "green"]
    assert offered(blog, "paint:set", "--mode", "thi") == ["thick", "thin"] and offered(
        blog, "paint:set", "--of", "blu"
    ) == ["blue"]
    assert offered(blog, "paint:set", "--m") == ["--mode"]
    assert offered(blog, "brush:set", "blog", "s") == ["small"] and offered(blog, "pai") == ["paint:set"]
    plugs.add("brush", [], '[commands]\n"brush:set" = "Choose a brush"\n', commands_py="1 / 0\n")
    assert offered(blog, "brush:set", "") == [], "a broken plugin offers nothing, and says nothing"


@pytest.mark.parametrize(
    "values", ['"red"', '{ colour = "red" }', "{ colour = [1] }", '{ other = ["red"] }', '{ colour = ["a\\nb"] }']
)
def test_values_that_cannot_be(tmp_path, values):
    (tmp_path / "commands").mkdir()
    program = tmp_path / "commands" / "paint:set"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "plugin.toml").write_text(
        'api = 1\nname = "paint"\nversion = "1"\nsummary = "x"\nhooks = []\n[commands]\n'
        f'"paint:set" = {{ help = "Paint", arguments = ["<colour>"], values = {values} }}\n'
    )
    with pytest.raises(errors.InvalidFile, match="values of paint:set"):
        manifest.read(str(tmp_path))


def test_a_key_that_may_list_no_apps_is_offered_none(blog, plugs):
    plugs.add(
        "strict",
        ["authorize"],
        **{"hooks__authorize": '#!/bin/sh\ngrep -q \'"command": "apps:list"\' && exit 1\nexit 0\n'},
    )
    assert offered(blog, "apps:destroy", "", key="anna") == []


@given(st.lists(st.text(max_size=12), max_size=4))
def test_any_words_are_answered(words):
    assert all(isinstance(found, str) for found in commands.candidates(words, True))


# -- the scripts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["bash"],
        ["fish"],
        ["bash", "--to", "-oProxyCommand=x"],
        ["bash", "--to", "a'b"],
        ["bash", "--to", "a@b", "--name", "a b"],
        [],
    ],
)
def test_what_no_script_is_made_of(world, words):
    world.refused("completion", *words, key="anna")


def in_bash(tmp_path, script: str, line: str, name: str) -> list[str]:
    """What bash has in COMPREPLY for a line; the program that is asked notes its words and answers two."""
    (tmp_path / "script").write_text(script + "\n")
    code = f"""
ask() {{ printf '%s|' "$@" > {tmp_path}/asked; printf 'blog\\nconfig:get\\n'; }}
ssh() {{ ask "$@"; }}
minipaas() {{ ask "$@"; }}
. {tmp_path}/script
COMP_LINE="$1" COMP_POINT=${{#1}}
_{name}_complete
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p {name} >&2
"""
    done = subprocess.run(["bash", "-c", code, "bash", line], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0 and f"_{name}_complete {name}" in done.stderr, done.stderr
    return done.stdout.split()


def test_bash_over_ssh(world, tmp_path):
    script = world.ok("completion", "bash", "--to", "paas@example.org", key="anna")
    assert in_bash(tmp_path, script, "paas apps:cre", "paas") == ["create"], "bash wants what follows the colon"
    assert "create" not in in_bash(tmp_path, script, "paas ", "paas") and "apps:create" in in_bash(
        tmp_path, script, "paas ", "paas"
    )
    assert not (tmp_path / "asked").exists(), "commands are in the script"
    assert in_bash(tmp_path, script, "paas apps:destroy bl", "paas") == ["blog", "config:get"]
    asked = (tmp_path / "asked").read_text()
    assert asked.endswith("paas@example.org|completion:words -- 'apps:destroy' 'bl'|") and "BatchMode=yes" in asked
    in_bash(tmp_path, script, "paas apps:destroy ", "paas")
    assert (tmp_path / "asked").read_text().endswith("'apps:destroy' ''|")
    in_bash(tmp_path, script, "paas apps:destroy it's", "paas")
    assert "'it'\\''s'" in (tmp_path / "asked").read_text()


def test_bash_on_the_host(world, tmp_path):
    script = world.ok("completion", "bash")
    assert in_bash(tmp_path, script, "minipaas help conf", "minipaas") == ["blog", "config:get"]
    assert (tmp_path / "asked").read_text() == "completion:words|--|help|conf|"


def test_the_command_that_the_script_defines_keeps_every_word(world, tmp_path):
    script = world.ok("completion", "bash", "--to", "paas@example.org", "--name", "my-paas", key="anna")
    code = f"""ssh() {{ printf '%s\\n' "$@"; }}
{script}
my-paas config:set blog "A=it's \\$HOME" 'B=two  words'"""
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=20)
    import shlex

    target, line = done.stdout.rstrip("\n").split("\n")
    assert target == "paas@example.org" and shlex.split(line) == ["config:set", "blog", "A=it's $HOME", "B=two  words"]


def test_zsh(world):
    script = world.ok("completion", "zsh", "--to", "paas@example.org", key="anna")
    assert "compdef _paas_complete paas" in script and "_paas_commands='" in script and "ssh -o BatchMode=yes" in script
    assert not any(left in script for left in ("TARGET", "_FUNCTION", "NAME() "))


def test_a_script_for_every_shell():
    for shell in ("bash", "zsh"):
        assert scripts.script(shell, "p", "a@b", ["apps:list"]).startswith(f"# Completion of p for {shell}")
