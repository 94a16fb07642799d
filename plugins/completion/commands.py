"""The commands completion and completion:words."""

import re

import click

from minipaas_lib import api


@api.commands.command("completion")
@click.option("--to", metavar="<user@host>", help="Where ssh leads to, as typed there (needed over ssh)")
@click.option("--name", default="", metavar="<name>", help="What the command is to be called on your machine (paas)")
@click.argument("shell", type=click.Choice(["bash", "zsh"]), metavar="bash|zsh")
def completion(shell, to, name):
    """Print a script for your shell that completes commands, apps and options with TAB.

    Over ssh it also defines a command `paas`, so that `paas apps:list` is `ssh paas@host apps:list`. Put the line
    below into ~/.bashrc or ~/.zshrc (there after compinit), or the script itself into a file.

    \b
    e.g.: eval "$(ssh paas@host completion bash --to paas@host)"
          minipaas completion bash > /etc/bash_completion.d/minipaas
    """
    from plugins.completion import scripts

    here = api.caller.key() == "root" and not to
    if not here and not to:
        raise api.errors.UsageError("the host for ssh is missing", f"completion {shell} --to paas@<host>")
    if to and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@:%\[\]-]{0,300}", to):
        raise api.errors.UsageError(f"{api.names.safe(to)} is not a host for ssh", "write it as: --to paas@example.org")
    name = name or ("minipaas" if here else "paas")
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_-]{0,60}", name):
        raise api.errors.UsageError(
            f"{api.names.safe(name)} cannot be the name of a command", "use letters, digits, _ and -"
        )
    api.output.exact(scripts.script(shell, name, to or "", commands(over_ssh=not here)))


@api.commands.command(
    "completion:words", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def completion_words(words):
    """Print what the last of the words may be, one a line. Never an error: a shell has nowhere to show it."""
    over_ssh = api.caller.key() != "root"
    for found in candidates(list(words), over_ssh):
        if found.isprintable():
            api.output.data(found)


def commands(over_ssh: bool) -> list[str]:
    """The names of all commands that can be typed there, sorted."""
    entries = api.kernel.index.load().commands
    return sorted(name for name, entry in entries.items() if not entry.hidden and not (over_ssh and entry.host))


def candidates(words: list[str], over_ssh: bool) -> list[str]:
    """What the last of `words` may become; the first is the command. Empty where nothing is known."""
    *before, last = words or [""]
    known = commands(over_ssh)
    if not before:
        return [name for name in known if name.startswith(last)]
    if before[0] not in known:
        return []
    try:
        return of_command(before[0], before[1:], last)
    except Exception:  # of a plugin's own code too
        return []


def of_command(name: str, arguments: list[str], last: str) -> list[str]:
    """What click says of the command's options and arguments (click.palletsprojects.com, Shell Completion)."""
    from click.shell_completion import ShellComplete

    command = api.kernel.command_named(name)
    option, equals, _ = last.partition("=")
    found = ShellComplete(command, {}, name, "").get_completions(arguments, last)
    prefix = option + "=" if equals and option.startswith("--") else ""  # click completes only what follows
    return [prefix + item.value for item in found if item.type == "plain"]
