"""The command enter."""

import os

import click

from minipaas_lib import api
from plugins.enter import choice

HELP = """Open a shell, or run a command, inside a running process. The exit code is the command's own.

\b
e.g.: ssh -t paas@<host> enter blog
      enter blog worker.2 ps aux
"""


@api.commands.command("enter", help=HELP, context_settings={"allow_interspersed_args": False})
@api.commands.app_argument
@click.argument(
    "process", required=False, metavar="[<type>[.<n>]]", shell_complete=api.commands.complete_processes(indexes=True)
)
@click.argument("words", nargs=-1, metavar="[<command>...]", type=click.UNPROCESSED)
def enter(app, process, words):
    api.app(app)
    if api.live_release(app) is None:
        raise api.errors.NotFound(f"{app} is not deployed, so it has no running process", "git push paas main")
    api.kernel.end_with_key()
    process, words = choice.process_and_command(process, words)
    found = choice.choose(process, api.scheduler().processes(app), app)
    return api.scheduler().enter(found, list(words), os.isatty(0) and os.isatty(1))
