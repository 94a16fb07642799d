"""Whether a hint can be typed as it stands: each command in it exists and takes the words that stand behind it.

A hint is made of pieces, with `; `, `, or: ` and `, then: ` between them. A piece is a command, or words, or words with
a colon and then a command: `to try again: ps:restore blog`. Words alone may name no command, so none goes unchecked.
"""

import contextlib
import re
import shlex

import click

from minipaas_lib import cli, commands, errors
from minipaas_lib.bus import catalog

HOST_ONLY = {"install"}  # what the program itself does before any command (main.py)
COMMANDS = catalog.build(catalog.own()).commands
NOUNS = {name.partition(":")[0] for name in COMMANDS if ":" in name}
PROGRAMS = set(
    "apt-get chmod chown df dmesg docker du editor etcdctl getent git hostnamectl journalctl ls nginx openssl pgrep rm"
    " service ss ssh-keygen sysctl systemctl tar timedatectl update-ca-certificates usermod modprobe ufw".split()
)
OURS = re.compile(r"(?:sudo )?minipaas (?=[a-z])|ssh (?:-t )?paas@<host> (?=[a-z])")
BETWEEN = re.compile(r"[,;] (?:or|and|then)(?: again)?: |; ")
GUESS = re.compile(r"did you mean (\S+)\?")
COMMAND_WORD = re.compile(r"(?<![\w./@:-])([a-z][a-z-]*:[a-z][a-z-]*)(?![\w:/])")


def check(hint: str) -> None:
    """Raises AssertionError, click.UsageError or errors.UsageError where a piece of the hint cannot be typed."""
    for piece in BETWEEN.split(hint):
        if piece.startswith("usage: "):
            assert piece.split()[1] in COMMANDS, piece
        else:
            check_piece(piece)


def check_piece(piece: str) -> None:
    if check_command(piece):
        return
    words, colon, rest = piece.partition(": ")
    guess = GUESS.search(words)
    assert guess is None or guess[1] in COMMANDS or guess[1] in NOUNS or ":" not in guess[1], f"no command {guess[1]}"
    words = GUESS.sub("", words)
    assert not commands_in(words), f"a command among words is not checked: {words!r}"
    if colon:
        check_piece(rest)


def commands_in(words: str) -> list[str]:
    """What looks like a command of ours in a sentence."""
    named = [word for word in COMMAND_WORD.findall(words) if word.partition(":")[0] in NOUNS]
    return named + [word for word in words.split() if word == "doctor"]


def check_command(line: str) -> bool:
    """Check a line that is a command of ours or a program's; False where it is neither."""
    ours = OURS.match(line)
    line = line[ours.end() :] if ours else line
    first = line.split(" ")[0]
    if ours or first in COMMANDS or COMMAND_WORD.fullmatch(first):
        if not (ours and "minipaas" in ours[0] and first in HOST_ONLY):
            parse(line)
        return True
    if first == "sudo":
        return check_command(line.partition(" ")[2])
    if first in PROGRAMS:
        shlex.split(line)
        return True
    return False


def parse(line: str) -> None:
    """Feed a command line to the parser of its command, which is not run."""
    line = re.sub(r" (?:< [^ ]+|\| ssh .*)$", "", line)
    words = [re.sub("<([a-z-]+)>", r"\1", word) for word in shlex.split(line)]
    assert "..." not in words, f"not typable: {line}"
    name, arguments = cli.parse(words)
    assert name in COMMANDS, f"there is no command {name}"
    if "--help" not in arguments:
        with contextlib.suppress(errors.Denied):  # the words are right, and a plugin of the test lets nobody type them
            with cli.load(name, COMMANDS[name].plugin).make_context(name, list(arguments)) as context:
                check_app_is_named(context, line)


def check_app_is_named(context: click.Context, line: str) -> None:
    """Commands with --all find out only when they run that they were given neither it nor an app."""
    everything = next((p for p in context.command.params if "--all" in p.opts), None)
    for argument in context.command.params:
        if isinstance(argument, commands.AppArgument) and everything and not context.params[everything.name]:
            assert context.params[argument.name], f"neither an app nor --all: {line}"


def check_printed(text: str) -> None:
    """Check the hint below the error that ends what a command printed."""
    *_, before, last = ["", *text.splitlines()]
    if before.startswith(" !     ") and last.startswith("       "):
        check(last[7:])
