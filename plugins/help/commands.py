"""The list of commands, made from the index: no plugin is loaded for it."""

import click

from minipaas_lib import api

FOOTER = "\nHow a command is used: help <command>, or <command> --help"


def _complete(ctx, param, incomplete):
    from click.shell_completion import CompletionItem

    groups = grouped(api.kernel.index.load().commands)
    known = sorted({*groups, *(command for group in groups.values() for command in group)})
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


@api.commands.command("help")
@api.commands.format_option
@click.argument("word", required=False, metavar="[<noun>|<command>]", shell_complete=_complete)
def help(format, word):  # the command's name
    """List the commands, or say how one is used.

    With a noun such as `apps` only its commands are listed; with a whole command its options are shown.

    \b
    e.g.: help
          help config
          help apps:create
    """
    groups = grouped(api.kernel.index.load().commands)
    if word is not None:
        if word not in groups:
            raise api.kernel.unknown_command(word, [command for group in groups.values() for command in group])
        groups = {word: groups[word]}
    if format == "json":
        api.commands.print_json({command: text for group in groups.values() for command, text in group.items()})
        return
    api.output.data("\n".join(lines(groups)) + "\n" + FOOTER)


def grouped(commands: dict) -> dict[str, dict[str, str]]:
    """Noun -> command -> one line of help, all sorted, hidden commands left out."""
    groups: dict[str, dict[str, str]] = {}
    for command, entry in sorted(commands.items()):
        if not entry.hidden:
            groups.setdefault(command.partition(":")[0], {})[command] = entry.help
    return groups


def lines(groups: dict[str, dict[str, str]]) -> list[str]:
    """The list for people; nouns of several commands are set apart, the others come first."""
    single = {command: text for group in groups.values() if len(group) == 1 for command, text in group.items()}
    blocks = [single] if single else []
    blocks += [group for group in groups.values() if len(group) > 1]
    width = max((len(command) for block in blocks for command in block), default=0)
    shown: list[str] = []
    for block in blocks:
        shown += [""] if shown else []
        shown += [f"  {command:<{width}}  {text}" for command, text in block.items()]
    return shown
