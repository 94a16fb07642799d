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


def _app_before(count: int):
    """Decorator: the argument `[<app>]` before `count` others; a password on stdin counts as one of those."""
    places = ("app", "server", "user", "password")

    def present(found: dict) -> bool:
        given = sum(isinstance(found.get(place), str) for place in places) + bool(found.get("password_stdin"))
        return given > count

    return click.argument(
        "app",
        cls=api.commands.AppArgument,
        every=True,
        present=present,
        type=api.commands.AppName(),
        metavar="[<app>]",
        required=False,
    )


@api.commands.command("registry:login")
@click.option("--global", "everyone", is_flag=True, help="For all apps")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin")
@_app_before(3)
@click.argument("server", metavar="<server>")
@click.argument("user", metavar="<username>")
@click.argument("password", metavar="[<password>]", required=False)
def registry_login(everyone, password_stdin, app, server, user, password):
    """Give docker the credentials of a registry, for an app or for all apps.

    They are tried at once, and kept in a file that only paas can read. A password that is typed as an argument is in
    your shell's history; on stdin it is not.

    \b
    e.g.: registry:login --password-stdin blog ghcr.io anna < token
          registry:login --global --password-stdin registry.example.org:5000 anna < token
    """
    if (password is None) != password_stdin or (everyone and app):
        raise api.errors.UsageError("registry:login takes a server, a user and a password", "registry:login --help")
    if app:
        api.app(app)
    app, server = app or "", settings.server(server)
    if not user or user.startswith("-") or not user.isprintable() or len(user) > 255:
        raise api.errors.UsageError(f"{api.names.safe(user)} cannot be a user's name", "registry:login --help")
    secret = (
        sys.stdin.buffer.read(PASSWORD_LIMIT + 1).rstrip(b"\r\n")
        if password_stdin
        else password.encode("utf-8", "surrogateescape")
    )
    if not secret or len(secret) > PASSWORD_LIMIT:
        raise api.errors.UsageError("the password is empty, or longer than 64 KiB", "registry:login --help")
    from plugins.registry import credentials

    credentials.login(server, user, secret, app)
    api.output.step(f"{app or 'all apps'}: logged in to {server} as {user}")


@api.commands.command("registry:logout")
@click.option("--global", "everyone", is_flag=True, help="For all apps")
@_app_before(1)
@click.argument("server", metavar="<server>")
def registry_logout(everyone, app, server):
    """Forget the credentials of a registry.

    \b
    e.g.: registry:logout blog ghcr.io
          registry:logout --global ghcr.io
    """
    if everyone and app:
        raise api.errors.UsageError("registry:logout takes an app and a server", "registry:logout --help")
    from plugins.registry import credentials

    credentials.logout(settings.server(server), app or "")
    api.output.step(f"{app or 'all apps'}: logged out of {server}")


@api.commands.command("registry:set")
@api.commands.wait_option
@api.commands.target_argument("Set it for all apps that have no value of their own")
@click.argument("key", metavar="<property>")
@click.argument("text", metavar="[<value>]", default="")
def registry_set(app, key, text):
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
    value = settings.parse(key, text) if text or key not in settings.PROPERTIES else None
    if app is None and key == "image-repo":
        raise api.errors.UsageError("two apps cannot share an image-repo", "registry:set <app> image-repo <path>")
    if value:
        settings.check(_as_set(app, key, value), app or "")

    def change(document):
        table = document.setdefault(settings.TABLE, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
        if not table:
            del document[settings.TABLE]

    api.edit_app(app, change) if app else api.kernel.edit_platform(change)
    api.output.step(f"{key} of {app or 'all apps'} is {text or 'cleared'}")


def _as_set(app, key, value) -> dict:
    """What would hold for the app, or for one that says nothing itself, with that value."""
    table = {key: value}
    if app is None:
        everywhere = dict(api.kernel.platform().get(settings.TABLE, {})) | table
        return settings.of(api.App("app", {}), {settings.TABLE: everywhere})
    present = api.app(app)
    return settings.of(api.App(app, {settings.TABLE: present.table(settings.TABLE) | table}), api.kernel.platform())
