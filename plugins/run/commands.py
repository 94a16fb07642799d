"""The command run, and run:*: one-off processes that outlive their command."""

import os
from collections.abc import Iterable

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
HELP_DETACHED = """Run a command in a new container and leave it to itself; print its name.

It keeps running after you log out. When it has ended it stays for a day, for run:list and run:logs. It does not come
back after a crash or a reboot; what should is a process type of the Procfile.

\b
e.g.: run:detached blog ./manage.py reindex
      run:detached -e FROM=2020 --ttl-seconds 3600 blog ./manage.py import
"""
_TTL = click.IntRange(1, 7 * 86400)
_env = click.option(
    "-e", "--env", "pairs", multiple=True, metavar="NAME=VALUE", help="Set a variable for this run only"
)
_words = click.argument("words", nargs=-1, required=True, metavar="<command>...", type=click.UNPROCESSED)


@api.commands.command("run", help=HELP, context_settings={"allow_interspersed_args": False})
@_env
@click.option("--no-tty", is_flag=True, help="No terminal, even if there is one here")
@click.option("--ttl-seconds", type=_TTL, metavar="N", help="Stop it after this time, exit 124")
@api.commands.app_argument
@_words
def run(pairs, no_tty, ttl_seconds, app, words):
    spec = _spec(app, words, pairs)
    api.kernel.end_with_key()
    tty = not no_tty and os.isatty(0) and os.isatty(1)
    return api.scheduler().run(spec, interactive=True, tty=tty, ttl=ttl_seconds)


def _spec(app: str, words: tuple[str, ...], pairs: tuple[str, ...]) -> "api.ContainerSpec":
    """The container for a command of the app. Raises errors.NotFound, errors.UsageError."""
    extra = plan.environment(pairs)
    _known(app, words)
    words = plan.command_of(words)
    release = api.live_release(app)
    if release is None:
        raise api.errors.NotFound(f"{app} is not deployed, so there is no image to run", "git push paas main")
    like = api.kernel.container_spec(release, plan.process_type(words, release.commands), 1)
    return plan.one_off(like, release.commands, words, extra)


def _known(app: str, words: tuple[str, ...]) -> None:
    """Raises errors.NotFound for an app that there is not; errors.UsageError where -a is among the command's words."""
    try:
        api.app(app)
    except api.errors.NotFound:
        meant = plan.app_among(words)
        if meant is None:
            raise
        command = api.caller.command()
        raise api.errors.UsageError(
            f"everything after {api.names.safe(app)} belongs to the command that is run, -a too",
            f"{command} -a {meant} {app}",
        ) from None


@api.commands.command("run:detached", help=HELP_DETACHED, context_settings={"allow_interspersed_args": False})
@_env
@click.option("--ttl-seconds", type=_TTL, metavar="N", help="Stop it after this time")
@api.commands.app_argument
@_words
def run_detached(pairs, ttl_seconds, app, words):
    from plugins.run import detached

    one = api.scheduler().detach(_spec(app, words, pairs), ttl_seconds)
    if ttl_seconds:
        api.in_background(lambda: detached.end_in_time(app, one.process.name, ttl_seconds))
    api.output.data(one.process.name)
    api.output.info(f"to follow its output: run:logs {app} {one.process.name} -t")


@api.commands.command("run:list")
@api.commands.app_argument
@api.commands.format_option
def run_list(app, format):
    """List the detached one-off processes of an app, those of the last day that have ended too.

    \b
    e.g.: run:list blog
          run:list blog --format json
    """
    from plugins.run import detached

    api.app(app)
    found = detached.all_of(app)
    api.commands.print_table([detached.row(one) for one in found], format)
    if not found and format == "stdout":
        api.output.info(f"{app} has none; to start one: run:detached {app} <command>")


@api.commands.command("run:stop")
@click.option("--all", "every", is_flag=True, help="All of the app's")
@api.commands.app_argument
@click.argument("name", required=False, metavar="[<name>]")
def run_stop(app, name, every):
    """Stop a detached one-off process, or all of an app's, and remove it with its output.

    \b
    e.g.: run:stop blog blog.run.0001
          run:stop blog --all
    """
    from plugins.run import detached

    api.app(app)
    if every == (name is not None):
        raise api.errors.UsageError("either a process or --all must be given", f"run:list {app}")
    scheduler = api.scheduler()
    chosen = scheduler.detached(app) if every else [detached.named(app, name)]
    for one in chosen:
        scheduler.stop(one.process)
        api.output.step(f"{one.process.name} is {'removed' if one.ended else 'stopped'}")
    if not chosen:
        api.output.info(f"{app} has no detached one-off process, nothing to do")


@api.commands.command("run:logs")
@click.option("-t", "--tail", is_flag=True, help="Go on with new output until it ends")
@click.option("-n", "--num", type=click.IntRange(0, 100_000), default=100, metavar="N", help="Lines of each (100)")
@api.commands.app_argument
@click.argument("name", required=False, metavar="[<name>]")
def run_logs(app, name, tail, num):
    """Show what detached one-off processes have printed: one, or all of an app's, merged by time.

    With -t and no name it is the newest one's.

    \b
    e.g.: run:logs blog
          run:logs blog blog.run.0001 -t
    """
    from plugins.run import detached

    api.app(app)
    chosen = [detached.named(app, name)] if name else api.scheduler().detached(app)
    if not chosen:
        raise api.errors.NotFound(f"{app} has no detached one-off process", f"run:detached {app} <command>")
    if tail:
        detached.leave_with_reader()
        api.kernel.end_with_key()
        found: Iterable[api.LogLine] = api.scheduler().stream(chosen[-1].process, num)
    else:
        found = api.scheduler().logs([one.process for one in chosen], num)
    for line in found:
        api.output.data(detached.text(line, named=len(chosen) > 1 and not tail))
