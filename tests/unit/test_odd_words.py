"""Whatever is typed, a command answers in its own words: no parser's exception reaches a user."""

import click
import pytest

from minipaas_lib import cli
from minipaas_lib.bus import index

DIGITS = "9" * 5000  # int() of more than 4,300 digits raises ValueError
ODD = [DIGITS, "\udce9", "\u00b2", "[" * 20_000]
# What streams, waits or asks other hosts has tests of its own.
COMMANDS = [
    name
    for name in sorted(index.load().commands)
    if not name.startswith(
        (
            "cluster:",
            "node:",
            "plugin:",
            "logs",
            "run",
            "enter",
            "help",
            "install",
            "completion",
            "git:from-",
            "git:sync",
        )
    )
]


@pytest.mark.parametrize("command", COMMANDS)
def test_odd_words_are_refused_in_our_words(world, fake, command):
    world.ok("apps:create", "blog")
    fake.deploy("blog")
    made = cli.load(command, index.load().commands[command].plugin)
    options = [option.opts[0] for option in made.params if isinstance(option, click.Option) and not option.is_flag]
    for odd in ODD:
        for words in (
            [odd],
            ["blog", odd],
            ["blog", f"web={odd}"],
            ["blog", "web", odd],
            *([name, odd, "blog", "web"] for name in options),
        ):
            said = world(command, *words, stdin=b"\xff\xfe\n").err
            assert "itself failed" not in said and "Traceback" not in said, (words[0][:20], said[:300])
