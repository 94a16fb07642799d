"""Set and report how an app is deployed with git, and the command of the repositories' hook."""

import os
import sys

import click
from minipaas_lib import api

from plugins.git import hooks, settings

INPUT_LIMIT = 1 << 20  # characters of git's list of updates that are read

git_report = api.commands.report_command(
    "git", hooks.report, "Report how an app is deployed with git.", everywhere=hooks.global_report
)


@api.commands.command("git:set")
@api.commands.wait_option
@click.option("--global", "everyone", is_flag=True, help="Set it for all apps")
@click.argument("words", nargs=-1, metavar="[<app>] <key> [<value>]")
def git_set(everyone, words):
    """Set or clear how an app is deployed with git.

    \b
    deploy-branch: the one branch that is deployed; without a value main and master are.
    rev-env-var:   the variable in which the app finds its commit (GIT_REV); without a value in none.

    What was set holds from the next push on.

    With --global, how much what is pushed, synced or sent as an archive may hold:

    \b
    max-entries:   files and folders (100000)
    max-size:      bytes of all files, and of one push or download, such as 500m or 4g (2g)

    \b
    e.g.: git:set blog deploy-branch production
          git:set blog rev-env-var COMMIT
          git:set --global max-size 500m
    """
    rest = list(words)
    app = None if everyone else api.names.app_name(rest.pop(0) if rest else "")
    if not 1 <= len(rest) <= 2:
        raise api.errors.UsageError("git:set takes a key and a value", "git:set --help")
    key, value = rest[0], rest[1] if len(rest) > 1 else ""
    if everyone:
        set_limit(key, value)
    else:
        set_of_app(app, key, value)
    api.output.step(f"{key} of {app or 'all apps'} is {value or 'cleared'}")


def set_limit(key, value):
    wanted = settings.limit(key, value) if value or key not in settings.EVERYWHERE else None
    edit_table(api.edit_platform, settings.LIMITS, settings.EVERYWHERE[key], wanted)
    for name in api.app_names():  # git itself keeps the limit of a push in each repository
        if os.path.isdir(api.paths.repository(name)):
            api.repository.create(name)


def set_of_app(app, key, value):
    if key == "deploy-branch":
        wanted = settings.branch_name(value) if value else None
    elif key == "rev-env-var":
        wanted = api.names.settable_config_name(value) if value else ""
    else:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set", f"git:set {app} deploy-branch or rev-env-var <value>"
        )
    edit_table(lambda change: api.edit_app(app, change), settings.TABLE, key, wanted)


def edit_table(edit, name, key, value):
    """Set a key of a table of a document, or clear it where the value is None; an empty table goes."""

    def change(document):
        table = document.setdefault(name, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
        if not table:
            del document[name]

    edit(change)


@api.commands.command("git:from-archive")
@api.commands.wait_option
@click.option("--archive-type", type=click.Choice(["tar", "tar.gz", "zip"]), help="What it is; else its first bytes say so")
@api.commands.app_argument
@click.argument("archive", metavar="<url|->")
@click.argument("username", metavar="[<git-username>", default="")
@click.argument("email", metavar="<git-email>]", default="")
def git_from_archive(archive_type, app, archive, username, email):
    """Deploy the files of an archive: at a URL (http or https), or on stdin.

    They become a commit of the app's repository, and are then built and released as a push is. A single folder at the
    top is taken away. An archive that holds what could be written or read elsewhere is refused as a whole: absolute
    paths and "..", links that lead out, devices, names with control characters, one name twice.

    \b
    e.g.: git:from-archive blog https://example.org/blog-1.2.tar.gz
          git:from-archive blog - < blog.zip
          git:from-archive --archive-type tar blog - Anna anna@example.org < blog.tar
    """
    author = settings.author(username, email)
    from plugins.git import arrive

    arrive.from_archive(app, archive, archive_type, author)


@api.commands.command("git:pre-receive")
@api.commands.app_argument
def git_pre_receive(app):
    """Deploy a push. The hook of the app's repository runs this; git's list of updates comes on stdin."""
    if "GIT_DIR" not in os.environ:
        raise api.errors.UsageError("git runs this command itself, during a push", f"git push paas@<host>:{app} main")
    api.receive(app, sys.stdin.read(INPUT_LIMIT), settings.deploy_branches(api.app(app)))
