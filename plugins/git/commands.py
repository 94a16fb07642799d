"""Set and report how an app is deployed with git, and the command of the repositories' hook."""

import os
import sys

import click
from minipaas_lib import api

from plugins.git import hooks, settings

INPUT_LIMIT = 1 << 20  # characters of git's list of updates that are read

git_report = api.commands.report_command("git", hooks.report, "Report how an app is deployed with git.")


@api.commands.command("git:set")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("key", metavar="<key>")
@click.argument("value", required=False, default="", metavar="[<value>]")
def git_set(app, key, value):
    """Set or clear how an app is deployed with git.

    \b
    deploy-branch: the one branch that is deployed; without a value main and master are.
    rev-env-var:   the variable in which the app finds its commit (GIT_REV); without a value in none.

    What was set holds from the next push on.

    \b
    e.g.: git:set blog deploy-branch production
          git:set blog rev-env-var COMMIT
    """
    if key == "deploy-branch":
        wanted = settings.branch_name(value) if value else None
    elif key == "rev-env-var":
        wanted = api.names.settable_config_name(value) if value else ""
    else:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set", f"git:set {app} deploy-branch or rev-env-var <value>"
        )

    def edit(document):
        table = document.setdefault(settings.TABLE, {})
        if wanted is None:
            table.pop(key, None)
        else:
            table[key] = wanted
        if not table:
            del document[settings.TABLE]

    api.edit_app(app, edit)
    api.output.step(f"{key} of {app} is {wanted or 'cleared'}")


@api.commands.command("git:pre-receive")
@api.commands.app_argument
def git_pre_receive(app):
    """Deploy a push. The hook of the app's repository runs this; git's list of updates comes on stdin."""
    if "GIT_DIR" not in os.environ:
        raise api.errors.UsageError("git runs this command itself, during a push", f"git push paas@<host>:{app} main")
    api.receive(app, sys.stdin.read(INPUT_LIMIT), settings.deploy_branches(api.app(app)))
