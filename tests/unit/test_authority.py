"""A key that a plugin limits to one app acts on no other, by no word in no place (docs/security.md)."""

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minipaas_lib import api, cli
from minipaas_lib.bus import catalog

# The weakest of policies: it refuses other apps by name, and nothing that names none.
POLICY = """
from minipaas_lib import api

ASKED = []

@api.hookimpl
def authorize(key, command, app):
    ASKED.append((command, app))
    if key == "limited" and app not in ("", "mine"):
        raise api.errors.Denied(f"{key} may not touch that")
"""
STRANGER = """
import click
from minipaas_lib import api

@click.command("stranger:plain")
@click.argument("what")
@click.option("--to", "-t", default="")
def stranger_plain(what, to):
    api.output.data(f"{what} {to}")

@api.commands.command("stranger:marked")
@api.commands.app_argument
@click.argument("others", nargs=-1, type=api.commands.AppName())
@click.option("--from", "source", type=api.commands.AppName())
def stranger_marked(app, others, source):
    api.output.data(" ".join([app, *others, source or ""]))
"""
TOML = """
[commands]
"stranger:plain" = "Say something"
"stranger:marked" = "Say which apps"
"stranger:raw" = "A program that reads its own words"
"stranger:told" = { help = "A program with an app", arguments = ["<app>"], options = { "--beside=<app>" = "Another" } }
[commands."stranger:all"]
help = "A program for one app or all"
arguments = ["[<app>]"]
options = { "--beside=<app>" = "Another" }
"""
ECHO = '#!/bin/sh\necho "ran: $*"\n'
SAMPLES = {
    "pairs": "web=1",
    "domains": "a.example.org",
    "key": "keep",
    "vn": "v1",
    "va": "v1",
    "vb": "v1",
    "number": "v1",
    "keys": "disk",
    "name": "NAME",
    "process": "web",
    "shell": "bash",
    "image": "busybox",
}


@pytest.fixture
def limited(fake, world, plugs, monkeypatch, tmp_path):
    """A world with the apps mine and victim, and the policy."""
    for name in ("mine", "victim"):
        world.ok("apps:create", name)
        world.ok("config:set", name, f"SECRET=the-secret-of-{name}")
        world.ok("domains:add", name, f"{name}-has.example.org")
        fake.deploy(name, {"web": "", "worker": "work"})
        world.ok("config:set", name, f"SECRET=the-secret-of-{name}", "TWO=2")
    plugs.add("policy", ["authorize"], hooks_py=POLICY)
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing here may reach for a network
    return world


def asked() -> list[tuple[str, str]]:
    """What the policy was asked, in order."""
    import sys

    return sys.modules["minipaas_plugins.policy.hooks"].ASKED if "minipaas_plugins.policy.hooks" in sys.modules else []


def acts_on_victim(world, fake, words: tuple[str, ...]):
    """Run a command line as the limited key; its result, once nothing of the victim has changed or been told."""
    before = {path: text for path, text in world.documents().items() if "victim" in path or path == "platform.toml"}
    processes, routes = fake.scheduler.processes("victim"), dict(fake.router.table)
    done = world(*words, stdin="victim\n", key="limited")
    after = {path: text for path, text in world.documents().items() if "victim" in path or path == "platform.toml"}
    if "victim" not in words and done.status == 0 and words[0] in ("git:generate-deploy-key",):
        return done
    assert after == before, (words, done.err)
    assert fake.scheduler.processes("victim") == processes and fake.router.table["victim"] == routes["victim"], words
    for told in ("the-secret-of-victim", "victim-has.example.org"):
        assert told not in done.out + done.err, words
    return done


def lines(name: str, command: click.Command):
    """Command lines that have the victim in each place in turn, and the limited key's own app elsewhere."""
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    own = ["mine" if isinstance(p.type, api.commands.AppName) else SAMPLES.get(p.name, "x") for p in arguments]
    for place in range(len(own)):
        yield (name, *own[:place], "victim", *own[place + 1 :])
    yield (name, *["victim"] * (len(own) or 1))
    for option in (p for p in command.params if isinstance(p, click.Option)):
        for spelling in option.opts:
            value = () if option.is_flag else ("victim",)
            yield (name, spelling, *value, *own)
            yield (name, *own, spelling, *value)
            yield (name, spelling, *value, *own[1:])
            yield (name, spelling, *(value or ("victim",)), "victim", *own[1:])
            if not option.is_flag:
                choices = option.type.choices if isinstance(option.type, click.Choice) else ["mine"]
                for choice in choices:
                    yield (name, spelling, str(choice), "victim", *own[1:])
    yield ("-a", "victim", name, *own[1:])
    yield (name, *own[1:], "--app=victim")
    yield (name,)


OWN = catalog.build(catalog.own())


@pytest.mark.parametrize("plugin", sorted({entry.plugin for entry in OWN.commands.values()}))
def test_no_command_acts_on_another_app_by_any_place(limited, fake, plugin):
    for name, entry in OWN.commands.items():
        if entry.plugin == plugin and not entry.host and name != "git:pre-receive":
            command = cli.load(name, plugin)
            for words in lines(name, command):
                acts_on_victim(limited, fake, words)


def test_every_place_for_an_app_is_asked_for(limited, fake):
    """Each parameter that takes an app refuses the victim with 77, and each command for all apps does."""
    for name, entry in OWN.commands.items():
        if entry.host or entry.unasked:
            continue
        command = cli.load(name, entry.plugin)
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        own = ["mine" if isinstance(p.type, api.commands.AppName) else SAMPLES.get(p.name, "x") for p in arguments]
        for place, argument in enumerate(arguments):
            if isinstance(argument.type, api.commands.AppName) and getattr(argument, "present", None) is None:
                words = (name, *own[:place], "victim", *own[place + 1 :])
                assert limited(*words, key="limited").status == 77, words
        if any(isinstance(a, api.commands.AppArgument) for a in arguments):
            assert limited(name, "-a", "victim", *own[1:], key="limited").status == 77, name
        if arguments and getattr(arguments[0], "every", False):
            for words in [(name, *own[1:]), (name, "--all"), (name, "--global", *own[1:])]:
                assert limited(*words, key="limited").status in (2, 77), words
    for words in (
        ("report",),
        ("ps:report",),
        ("ps:restore",),
        ("ps:restart", "--all"),
        ("logs:failed", "--all"),
        ("builds:prune", "--all"),
        ("config:set", "--global", "A=1"),
        ("config:show", "--global"),
        ("domains:add-global", "x.example"),
        ("doctor",),
        ("apps:set", "--global", "create-on-push", "false"),
        ("nginx:validate-config",),
    ):
        assert limited(*words, key="limited").status == 77, words


WORDS = [
    "victim",
    "mine",
    "--format",
    "json",
    "-a",
    "--app",
    "--app=victim",
    "--global",
    "--all",
    "--",
    "web=1",
    "A=1",
    "--trace",
    "-n",
    "5",
    "v1",
    "--plan",
    "--force",
    "-",
    "SECRET",
    "web",
    "--skip-deploy",
]
SAFE = sorted(
    name
    for name, entry in OWN.commands.items()
    if not entry.host
    and name.partition(":")[0]
    in (
        "apps",
        "config",
        "ps",
        "domains",
        "report",
        "releases",
        "checks",
        "logs",
        "urls",
        "builds",
        "tags",
        "proxy",
        "run",
    )
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SAFE), st.lists(st.sampled_from(WORDS), max_size=6), st.booleans())
def test_no_heap_of_words_acts_on_another_app(limited, fake, command, words, app_first):
    acts_on_victim(limited, fake, ("-a", "mine", command, *words) if app_first else (command, *words))


@pytest.mark.parametrize(
    "words, apps",
    [
        (["config:export", "--format", "json", "victim"], ["victim"]),
        (["config:export", "--format", "json", "mine"], ["mine"]),
        (["apps:rename", "mine", "newer"], ["mine", "newer"]),
        (["apps:clone", "--skip-deploy", "mine", "copy"], ["mine", "copy"]),
        (["logs", "-n", "5", "-p", "web", "mine"], ["mine"]),
        (["ps:report", "--ps-running", "mine"], ["mine"]),
        (["-a", "mine", "ps:scale", "web=1"], ["mine"]),
        (["apps:restore", "gone.1"], ["gone"]),
        (["apps:list"], [""]),
        (["config:show", "--global"], ["", "mine", "victim"]),
        (["registry:logout", "ghcr.io"], ["", "mine", "victim"]),
        (["registry:logout", "mine", "ghcr.io"], ["mine"]),
        (["registry:login", "--password-stdin", "mine", "ghcr.io", "anna"], ["mine"]),
        (["help", "config"], [""]),
    ],
    ids=lambda value: " ".join(value),
)
def test_what_plugins_are_asked(limited, words, apps):
    limited(*words)
    assert [app for command, app in asked() if command != "apps:create"] == apps


def test_nothing_is_asked_for_a_line_that_cannot_be_parsed(limited):
    assert limited("config:set", "--colour", "victim", key="limited").status == 2
    assert asked() == []


@pytest.mark.parametrize(
    "words, status",
    [
        (["stranger:plain", "hello"], 0),
        (["stranger:plain", "mine"], 0),
        (["stranger:plain", "victim"], 77),
        (["stranger:plain", "x", "--to", "victim"], 77),
        (["stranger:plain", "x", "--to=victim"], 77),
        (["stranger:plain", "x", "-tvictim"], 77),
        (["stranger:plain", "mine,victim"], 77),
        (["stranger:marked", "mine"], 0),
        (["stranger:marked", "mine", "mine", "victim"], 77),
        (["stranger:marked", "--from", "victim", "mine"], 77),
        (["stranger:marked", "victim"], 77),
        (["stranger:marked", "-a", "victim"], 77),
        (["-a", "victim", "stranger:marked"], 77),
        (["stranger:raw", "mine"], 0),
        (["stranger:raw", "x", "victim"], 77),
        (["stranger:raw", "--app", "victim"], 77),
        (["stranger:told", "mine"], 0),
        (["stranger:told", "victim"], 77),
        (["stranger:told", "--beside", "victim", "mine"], 77),
        (["stranger:told", "-a", "victim"], 77),
        (["stranger:all", "mine"], 0),
        (["stranger:all"], 77),
        (["stranger:all", "--beside", "mine"], 77),
        (["stranger:all", "--beside", "mine", "mine"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_of_strangers_are_asked_for(limited, plugs, words, status):
    plugs.add(
        "stranger",
        [],
        TOML,
        commands_py=STRANGER,
        commands__stranger_raw=ECHO,
        commands__stranger_told=ECHO,
        commands__stranger_all=ECHO,
        index_it=False,
    )
    import os

    for verb in ("raw", "told", "all"):
        folder = os.path.join(plugs.folder, "stranger/commands")
        os.rename(os.path.join(folder, f"stranger_{verb}"), os.path.join(folder, f"stranger:{verb}"))
    plugs.use()
    done = limited(*words, key="limited")
    assert done.status == status, done.err
    assert status == 0 or (done.out == "" and "may not touch that" in done.err)


def test_no_answer_names_an_app_that_the_key_may_not_touch(limited):
    said = limited("urls", "mines", key="limited").err
    assert "may not touch" in said
    limited.ok("apps:rename", "--skip-deploy", "victim", "secretive")
    for words in (["domains:add", "mine", "victim-has.example.org"],):
        said = limited(*words, key="limited").err
        assert "may not change" in said and "secretive" not in said
    assert "secretive" in limited("domains:add", "mine", "victim-has.example.org").err
    limited.ok("domains:set-default", "secretive")
    for verb in ("set-default", "unset-default"):
        done = limited(f"domains:{verb}", "mine", key="limited")
        assert done.status == 2 and "secretive" not in done.err
        assert "secretive" in limited(f"domains:{verb}", "mine").err


def test_completion_gives_nothing_of_another_app(limited):
    said = limited("completion:words", "--", "config:get", "victim", "", key="limited")
    assert "SECRET" not in said.out
    assert "SECRET" in limited("completion:words", "--", "config:get", "mine", "", key="limited").out
    assert "web" not in limited("completion:words", "--", "enter", "victim", "", key="limited").out


def test_the_hook_of_a_push_is_not_asked_for_again(limited):
    """The gate has asked for git-receive-pack; a policy that lets a key only push is no reason to refuse its push."""
    limited("git:pre-receive", "mine", key="limited")
    assert asked() == []
