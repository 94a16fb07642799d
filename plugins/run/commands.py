"""The command run."""

import os

import click

from minipaas_lib import api
from plugins.run import plan

HELP = """Run a command in a new container: the image, config and limits of the live release.

The exit code is the command's own. The container is removed afterwards, and when you hang up. A process type as the
only word runs that type's command; pipes and variables need: run blog sh -c '...'

\b
e.g.: run blog ./manage.py migrate
      ssh -t paas@host run blog sh
"""


@api.commands.command("run", help=HELP, context_settings={"allow_interspersed_args": False})
@click.option("-e", "--env", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a variable for this run only")
@click.option("--no-tty", is_flag=True, help="No terminal, even if there is one here")
@click.option("--ttl-seconds", type=click.IntRange(1, 7 * 86400), metavar="N", help="Stop it after this time, exit 124")
@api.commands.app_argument
@click.argument("words", nargs=-1, required=True, metavar="<command>...", type=click.UNPROCESSED)
def run(pairs, no_tty, ttl_seconds, app, words):
    extra = plan.environment(pairs)
    api.app(app)
    release = api.live_release(app)
    if release is None:
        raise api.errors.NotFound(f"{app} is not deployed, so there is no image to run", "git push paas main")
    like = api.container_spec(release, plan.process_type(words, release.commands), 1)
    spec = plan.one_off(like, release.commands, words, extra)
    tty = not no_tty and os.isatty(0) and os.isatty(1)
    return api.scheduler().run(spec, interactive=True, tty=tty, ttl=ttl_seconds)
