"""Every hint can be typed as it stands; tests/unit/hint_check.py says what that means."""

import re

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minipaas_lib import errors, well_known
from tests.unit import hint_check, hint_texts
from tests.unit.hint_check import COMMANDS, NOUNS, check

HINTS = hint_texts.collect()
PLACE = re.compile(r"((?<!{){[^{}]+}(?!}))")

# What may stand in a hint for an expression that is only known when it runs: the end of the file's path, a pattern of
# the expression's source, the values. The first line that fits counts; any other expression is a word.
APP = st.sampled_from(["blog", "a", "my-shop-2", "x" * 63])
WORD = st.from_regex(r"[a-z][a-z0-9]{0,11}", fullmatch=True)
TYPE = st.sampled_from(["web", "worker", "Work_er"])
NUMBER = st.integers(1, 9).map(str)
PATH = st.sampled_from(["/var/lib/minipaas", "/srv/blog/state"])
COMMAND = st.sampled_from(sorted(name for name, entry in COMMANDS.items() if not entry.hidden))
SENTENCE = st.just("use plain ASCII")  # the hint of another error, which is checked where it is made
ELSEWHERE = r"error.hint|getattr.*|answer[[]1[]]|hint|download"
VALUES: list[tuple[str, str, st.SearchStrategy]] = [
    ("lib/cli.py", "name", st.just("doctor")),
    ("lib/cli.py", "noun", st.sampled_from(sorted(NOUNS))),
    ("lib/cli.py", "shlex.join.*", st.just("apps:create blog")),
    ("lib/cli.py", "error.ctx.get_usage.*", st.just("ps:scale [OPTIONS] <app> [<type>=<count> ...]")),
    ("lib/cli.py", "error.ctx.command_path", COMMAND),
    ("lib/commands.py", "ctx.info_name", st.just("ps:scale")),
    ("/commands.py", "noun", st.just("ps")),
    ("plugins/host.py", ".*command.*", st.just("plugin:list")),
    ("config/commands.py", ".*command.*", st.just("config:show")),
    ("run/commands.py", ".*command.*", st.just("run")),
    ("run/plan.py", ".*command.*", st.just("run")),
    ("completion/commands.py", "shell", st.sampled_from(["bash", "zsh"])),
    ("cluster/head/init.py", "option", st.sampled_from(["ca", "cert", "key"])),
    ("trigger.py", "action", st.sampled_from(["get", "set", "unset"])),
    ("well_known.py", "noun", st.just("apps")),
    ("well_known.py", "next.*verb.*", st.just("list")),
    ("well_known.py", "next.*", st.sampled_from(sorted(NOUNS))),
    ("", ".*command[(][)]|ctx.info_name", st.just("apps:destroy")),
    ("", ELSEWHERE, SENTENCE),
    ("", "target.name", NUMBER.map("v{}".format)),
    ("", r".*renamed.*|app|name|new|old|owner|plugin|other|.*[.]app|.*[.]name|(?:found|near|names)[[][01][]]", APP),
    ("", "kind|.*process_type", TYPE),
    ("", ".*index|.*port|ports?[[][01][]]|line|.*number.*|str.*|max.*|[A-Z]+_?[A-Z]+", NUMBER),
    ("", ".*path.*|.*folder|.*root.*|location|host.etc|.*location.*|.*environ.*|.*which.*", PATH),
    ("", "text", st.sampled_from(["100m", "2g"])),
]


def value_of(file: str, expression: str) -> st.SearchStrategy:
    """What an expression in a hint may be."""
    return next((values for end, what, values in VALUES if file.endswith(end) and re.fullmatch(what, expression)), WORD)


@st.composite
def filled(draw, hint: hint_texts.Hint) -> str:
    """The hint with its places filled."""
    parts = re.split(PLACE, hint.template)
    texts = [draw(value_of(hint.file, part[1:-1])) if place % 2 else part for place, part in enumerate(parts)]
    return "".join(texts).replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize("file", sorted({hint.file for hint in HINTS}))
def test_every_hint_can_be_typed_as_it_stands(file, world):
    for hint in HINTS:
        if hint.file == file:
            settings(max_examples=10 if "{" in hint.template else 1)(given(filled(hint))(check))()


def test_nearly_all_hints_are_read():
    assert len(HINTS) > 700
    whole = [hint for hint in HINTS if re.fullmatch(PLACE, hint.template) and not is_checked_elsewhere(hint)]
    assert [str(hint) for hint in whole] == [], "a hint of which nothing is known before it runs could hide a command"


def is_checked_elsewhere(hint: hint_texts.Hint) -> bool:
    """Whether the hint is another error's, or a command line that was typed."""
    return bool(re.fullmatch(ELSEWHERE + "|shlex.join.*", hint.template[1:-1]))


@pytest.mark.parametrize("word", sorted(well_known.WORDS))
def test_what_words_of_others_lead_to_can_be_typed(word, world):
    check(well_known.WORDS[word][1])


def test_every_command_that_a_message_names_exists():
    named = {name: line for line in hint_texts.lines() for name in hint_check.commands_in(line.template)}
    assert len(named) > 30
    assert {name: str(line) for name, line in named.items() if name not in COMMANDS and name != "plugin:x"} == {}


@pytest.mark.parametrize(
    "hint",
    [
        "ps:rebuild",
        "ps:rebuild blog --nope",
        "apps:create blog and more",
        "apps:nope blog",
        "minipaas nope",
        "sudo minipaas ps:stop",
        "ssh paas@<host> config:get blog",
        "give another name, or: ps:rebuild",
        "look at cluster:status",
        "see what doctor says",
        "to try again: ps:restore blog tries again",
        "registry:login ... --password-stdin",
        "did you mean ps:nope?",
        "git push 'main",
    ],
)
def test_what_cannot_be_typed_is_refused(hint, world):
    with pytest.raises((AssertionError, click.UsageError, errors.UsageError, ValueError)):
        check(hint)


@pytest.mark.parametrize(
    "hint",
    [
        "give another port",
        "give a name such as: blog.example.org",
        "doctor",
        "look for a full disk: doctor",
        "did you mean blog? If not: apps:create blog",
        "ssh paas@<host> config:set blog - < .env",
        "on the host: sudo systemctl start docker",
        "git pull --rebase <remote> main, then: git push <remote> main",
        "cluster:status, then again: cluster:renew-certificates",
    ],
)
def test_what_can_be_typed_is_let_through(hint, world):
    check(hint)
