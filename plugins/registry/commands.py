"""registry:login, logout, set and report."""

import sys

import click

from minipaas_lib import api
from plugins.registry import hooks, settings

PASSWORD_LIMIT = 64 * 1024  # bytes; tokens of some clouds are long

registry_report = api.commands.report_command(
    "registry",
    hooks.report,
    "Report to which registry the images of an app go, and which registries it is logged in to",
)


@api.commands.command("registry:login")
@click.option("--global", "everyone", is_flag=True, help="For all apps")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin")
@click.argument("words", nargs=-1, metavar="[<app>] <server> <username> [<password>]")
def registry_login(everyone, password_stdin, words):
    """Give docker the credentials of a registry, for an app or for all apps.

    They are tried at once, and kept in a file that only paas can read. A password that is typed as an argument is in
    your shell's history; on stdin it is not.

    \b
    e.g.: registry:login --password-stdin blog ghcr.io anna < token
          registry:login --global --password-stdin registry.example.org:5000 anna < token
    """
    count = len(words) + (1 if password_stdin else 0)
    if count not in (3, 4) or (everyone and count == 4):
        raise api.errors.UsageError("registry:login takes a server, a user and a password", "registry:login --help")
    rest = list(words)
    app = api.names.app_name(rest.pop(0)) if count == 4 else ""
    if app:
        api.app(app)
    server, user = settings.server(rest[0]), rest[1]
    if not user or user.startswith("-") or not user.isprintable() or len(user) > 255:
        raise api.errors.UsageError(f"{api.names.safe(user)} cannot be a user's name", "registry:login --help")
    password = sys.stdin.buffer.read(PASSWORD_LIMIT + 1).rstrip(b"\r\n") if password_stdin else rest[2].encode()
    if not password or len(password) > PASSWORD_LIMIT:
        raise api.errors.UsageError("the password is empty, or longer than 64 KiB", "registry:login --password-stdin ... < file")
    from plugins.registry import credentials

    credentials.login(server, user, password, app)
    api.output.step(f"{app or 'all apps'}: logged in to {server} as {user}")


@api.commands.command("registry:logout")
@click.option("--global", "everyone", is_flag=True, help="For all apps")
@click.argument("words", nargs=-1, metavar="[<app>] <server>")
def registry_logout(everyone, words):
    """Forget the credentials of a registry.

    \b
    e.g.: registry:logout blog ghcr.io
          registry:logout --global ghcr.io
    """
    if len(words) not in (1, 2) or (everyone and len(words) == 2):
        raise api.errors.UsageError("registry:logout takes an app and a server", "registry:logout --help")
    app = api.names.app_name(words[0]) if len(words) == 2 else ""
    from plugins.registry import credentials

    credentials.logout(settings.server(words[-1]), app)
    api.output.step(f"{app or 'all apps'}: logged out of {words[-1]}")


@api.commands.command("registry:set")
@api.commands.wait_option
@click.option("--global", "everyone", is_flag=True, help="Set it for all apps that say nothing else")
@click.argument("words", nargs=-1, metavar="[<app>] <property> [<value>]")
def registry_set(everyone, words):
    """Set or clear to which registry the images of releases go; it holds from the next release on.

    \b
    server            the registry's host, such as ghcr.io; Docker Hub where none is set
    image-repo        the path in it, such as anna/blog (minipaas/<app>); not with --global
    push-on-release   true: the image of every release is sent there, as <image-repo>:v<number>, after it is built
                      and before the release is made. If that fails, so does the deploy.

    \b
    e.g.: registry:set blog server ghcr.io
          registry:set blog image-repo anna/blog
          registry:set --global push-on-release true
    """
    rest = list(words)
    app = "" if everyone else api.names.app_name(rest.pop(0) if rest else "")
    if not 1 <= len(rest) <= 2:
        raise api.errors.UsageError("registry:set takes a property and a value", "registry:set --help")
    key, text = rest[0], rest[1] if len(rest) > 1 else ""
    value = settings.parse(key, text) if text or key not in settings.PROPERTIES else None
    if everyone and key == "image-repo":
        raise api.errors.UsageError("two apps cannot share an image-repo", "registry:set <app> image-repo <path>")

    def change(document):
        table = document.setdefault(settings.TABLE, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
        if not table:
            del document[settings.TABLE]

    api.edit_app(app, change) if app else api.edit_platform(change)
    api.output.step(f"{key} of {app or 'all apps'} is {text or 'cleared'}")
