"""Commands that take one app, or --all of them and then go on after a failure."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import click

from minipaas_lib import api


class Chosen(NamedTuple):
    names: list[str]
    every: bool  # whether all apps were chosen: then a failure of one does not stop the others


class NothingToDo(api.errors.UsageError):
    """The command makes no sense for this app as it is: a refusal where it was named, a remark among --all."""


def apps_or_all(function):
    """Decorator: the arguments `[--all|<app>]`; the command gets them as `apps`, a Chosen."""

    @click.option("--all", "every", is_flag=True, help="Every app, one after the other")
    @api.commands.optional_app_argument
    @functools.wraps(function)
    def command(app, every, **others):
        if every == (app is not None):
            verb = api.caller.command()
            raise api.errors.UsageError("either an app or --all must be given", f"{verb} <app>")
        if app:
            api.app(app)
        return function(apps=Chosen(api.app_names() if every else [app], every), **others)

    return command


def each(chosen: Chosen, action: Callable[[str], None]) -> int:
    """Do `action` to every chosen app, return the exit status; with --all a failure does not stop the others."""
    if not chosen.every:
        action(chosen.names[0])
        return 0
    failed = 0
    for name in chosen.names:
        try:
            action(name)
        except NothingToDo as error:
            api.output.info(f"{error.message}, nothing to do")
        except Exception as error:
            failed += api.kernel.app_has_failed(name, error)
    if failed:
        api.output.warn(f"{failed} of {len(chosen.names)} apps failed")
    return 1 if failed else 0


def must_be_deployed(name: str) -> None:
    """Raises NothingToDo for an app without a live release."""
    if api.live_release(name) is None:
        raise NothingToDo(f"{name} has never been deployed", f"git push paas@<host>:{name} main")


def must_run(name: str) -> None:
    """Raises NothingToDo for an app without a live release, or stopped."""
    must_be_deployed(name)
    if api.app(name).stopped:
        raise NothingToDo(f"{name} is stopped", f"ps:start {name}")
