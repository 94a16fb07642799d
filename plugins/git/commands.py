"""Set and report how an app is deployed with git, and the command of the repositories' hook."""

import os
import sys

import click

from minipaas_lib import api
from plugins.git import hooks, settings

INPUT_LIMIT = 16 << 20  # bytes of git's list of updates; more are refused

git_report = api.commands.report_command(
    "git", hooks.report, "Report how an app is deployed with git.", everywhere=hooks.global_report
)


@api.commands.command("git:set")
@api.commands.wait_option
@api.commands.target_argument("Set it for all apps")
@click.argument("key", metavar="<key>")
@click.argument("value", metavar="[<value>]", default="")
def git_set(app, key, value):
    """Set or clear how an app is deployed with git.

    \b
    deploy-branch: the one branch that is deployed; without a value main or master is.
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
    if app is None:
        set_limit(key, value)
    else:
        set_of_app(app, key, value)
    api.output.step(f"{key} of {app or 'all apps'} is {value or 'cleared'}")


def set_limit(key, value):
    wanted = settings.limit(key, value) if value or key not in settings.EVERYWHERE else None
    edit_table(api.kernel.edit_platform, settings.LIMITS, settings.EVERYWHERE[key], wanted)
    settings.renew_repositories()  # git itself keeps the limit of a push in each repository


def set_of_app(app, key, value):
    if key == "deploy-branch":
        wanted = settings.branch_name(value) if value else None
        settings.check_beside(wanted or "", api.repository.branches(app))
    elif key == "rev-env-var":
        wanted = api.names.settable_config_name(value) if value else ""
    else:
        raise api.errors.UsageError(f"there is no {api.names.safe(key)} to set", "one of: deploy-branch, rev-env-var")
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
@click.option(
    "--archive-type", type=click.Choice(["tar", "tar.gz", "zip"]), help="What it is; else its first bytes say so"
)
@api.commands.app_argument
@click.argument("archive", metavar="<url|->")
@click.argument("username", metavar="[<git-username>", default="")
@click.argument("email", metavar="<git-email>]", default="")
def git_from_archive(archive_type, app, archive, username, email):
    """Deploy the files of an archive: at a URL (http or https), or on stdin.

    They become a commit of the app's repository, and are then built and released as a push is. A single folder at the
    top is taken away. An archive that holds what could be written or read elsewhere is refused as a whole: absolute
    paths and "..", devices, one name twice.

    \b
    e.g.: git:from-archive blog https://example.org/blog-1.2.tar.gz
          git:from-archive blog - < blog.zip
          git:from-archive --archive-type tar blog - Anna anna@example.org < blog.tar
    """
    author = api.repository.author_line(username, email)
    from plugins.git import arrive

    arrive.from_archive(app, archive, archive_type, author)


@api.commands.command("git:sync")
@api.commands.wait_option
@click.option("--build", "build", flag_value="build", help="Build and deploy it, whether it is new or not")
@click.option(
    "--build-if-changes", "build", flag_value="build-if-changes", help="Deploy it if it has moved since the last sync"
)
@click.option("--skip-deploy-branch", is_flag=True, help="Do not make the branch the app's deploy-branch")
@api.commands.app_argument
@click.argument("repository", metavar="<repository>")
@click.argument("ref", metavar="[<git-ref>]", default="")
def git_sync(build, skip_deploy_branch, app, repository, ref):
    """Fetch a branch, tag or commit from another git server, and deploy it if that is asked for.

    Without a ref it is what a clone of the repository gets. Without --build or --build-if-changes nothing is deployed:
    only what a clone of the app gets moves. --build-if-changes is for cron: it deploys a commit once, also where that
    failed. A branch that is deployed becomes the app's deploy-branch.

    For a private repository over https see git:auth; over ssh see git:generate-deploy-key and git:allow-host.

    \b
    e.g.: git:sync --build blog https://github.com/anna/blog.git
          git:sync --build-if-changes blog git@github.com:anna/blog.git main
          git:sync blog https://github.com/anna/blog.git v1.2
    """
    from plugins.git import sync

    sync.sync(app, repository, ref, build or "", skip_deploy_branch)


@api.commands.command("git:auth")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin")
@click.argument("host", metavar="<host>")
@click.argument("username", metavar="[<username>", default="")
@click.argument("password", metavar="<password>]", default="")
def git_auth(password_stdin, host, username, password):
    """Say with which user and password git asks a server over https, or without a user forget them.

    They are kept in a file that only paas can read, and used by git:sync, git:from-archive and submodules of all apps.
    A password that is typed as an argument is in your shell's history; on stdin it is not.

    \b
    e.g.: git:auth --password-stdin github.com anna < token
          git:auth github.com
    """
    from plugins.git import hosts

    server, port = hosts.parse(host)
    server = server if ":" not in host else f"{server}:{port}"
    if password_stdin:
        try:
            password = sys.stdin.buffer.read(64 * 1024).decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise api.errors.UsageError("the password is not UTF-8 text", "git:auth --help") from None
    if bool(username) != bool(password) or not (username + password).isprintable() or len(username) > 255:
        raise api.errors.UsageError("git:auth takes a user and a password, or neither", "git:auth --help")
    if not username and server not in api.kernel.remotes.credentials():
        raise api.errors.NotFound(f"there are no credentials for {server}", "git:auth --password-stdin <host> <user>")
    api.kernel.remotes.set_credentials(server, username, password)
    api.output.step(f"git logs in to {server} as {username}" if username else f"removed the credentials for {server}")


@api.commands.command("git:allow-host")
@click.argument("host", metavar="<host>")
def git_allow_host(host):
    """Trust the ssh host keys that a git server has now: git:sync and submodules talk over ssh to such hosts only.

    Compare the fingerprints with those that the server's owner publishes. Said again, it takes what the host has then.

    \b
    e.g.: git:allow-host github.com
          git:allow-host git.example.org:2222
    """
    from plugins.git import hosts

    fingerprints = hosts.allow(host)
    api.output.step(f"{host} is trusted with these keys")
    for line in fingerprints:
        api.output.info(line)


@api.commands.command("git:generate-deploy-key")
@api.commands.optional_app_argument
def git_generate_deploy_key(app):
    """Make the ssh key with which git reads private repositories, and print its public half.

    With an app it is that app's own; without one, the one of all apps that have none. Give the public half to the git
    server as a deploy key that may read. A key that is there already stays.

    \b
    e.g.: git:generate-deploy-key
          git:generate-deploy-key blog
    """
    if app:
        api.app(app)
    api.output.data(api.kernel.remotes.generate_key(app or ""))


@api.commands.command("git:public-key")
@api.commands.optional_app_argument
def git_public_key(app):
    """Print the public half of the deploy key of an app, or of the one for all apps.

    \b
    e.g.: git:public-key
          git:public-key blog
    """
    api.output.data(api.kernel.remotes.public_key(app or ""))


@api.commands.command("git:pre-receive")
@api.commands.app_argument
def git_pre_receive(app):
    """Deploy a push. The hook of the app's repository runs this; git's list of updates comes on stdin."""
    if "GIT_DIR" not in os.environ:
        raise api.errors.UsageError("git itself runs this command during a push", f"git push paas@<host>:{app} main")
    listed = sys.stdin.buffer.read(INPUT_LIMIT + 1)  # names of references are bytes, and may be any
    if len(listed) > INPUT_LIMIT:  # none is let through that nobody has looked at
        said = f"the push has too many references: git's list of them is larger than {INPUT_LIMIT >> 20} MiB"
        raise api.errors.UsageError(said, "git push <remote> main")
    api.kernel.receive(
        app, listed.decode("utf-8", "surrogateescape"), settings.deploy_branches(api.kernel.push_destination(app))
    )
