"""The nginx:* commands."""

import os

import click

from minipaas_lib import api
from plugins.router_nginx import settings


def _listed(title: str, properties: dict) -> str:
    rows = [f"  {name:<28}{about.help} ({about.default})" for name, about in properties.items()]
    return "\n\n\b\n" + "\n".join([title, *rows])


@api.commands.command("nginx:set")
@api.commands.target_argument("Set it for all apps")
@click.argument("property", metavar="<property>")
@click.argument("words", nargs=-1, metavar="[<value>]")
@api.commands.wait_option
def nginx_set(app, property, words):
    """Set an nginx property of an app, or one that all apps share; without a value, go back to the default."""
    value = " ".join(words)
    known = settings.PROPERTIES if app else settings.EVERYWHERE
    if value or property not in settings.EVERYWHERE:  # a former version let these in for an app: they can be cleared
        settings.check_scope(property, value, app)
    if property not in known and property not in settings.EVERYWHERE:
        settings.check(property, "")
    kept = settings.check(property, value) if value else ""

    def edit(document):
        table = document.setdefault(settings.TABLE, {})
        if kept:
            table[property] = kept
        else:
            table.pop(property, None)
        if not table:
            del document[settings.TABLE]

    default = (settings.DEFAULTS | settings.EVERYWHERE_DEFAULTS)[property]
    now = kept or f"{default}, the default"
    if not app:
        _set_everywhere(edit)
    elif api.change(app, f"nginx:set: {property} is {now}", edit) is not None:
        return  # the release says it
    api.output.step(f"{property} of {app or 'all apps'} is {now}")


nginx_set.help += (
    "\n\n\b\ne.g.: nginx:set blog client-max-body-size 100m\n      nginx:set --global underscores-in-headers on"
)
nginx_set.help += _listed("Properties (default):", settings.PROPERTIES)
nginx_set.help += _listed("Only with --global:", settings.EVERYWHERE)


def _set_everywhere(edit) -> None:
    """Store the setting and apply it to this host's nginx; what nginx rejects is not kept."""
    from plugins.router_nginx.router import NginxRouter

    former = dict(api.kernel.platform().get(settings.TABLE, {}))
    platform = api.kernel.edit_platform(edit)

    def back(document):
        document.pop(settings.TABLE, None)
        if former:
            document[settings.TABLE] = former

    try:
        NginxRouter().follow_platform(platform)
    except BaseException:
        api.kernel.edit_platform(back)
        raise


@api.commands.command("nginx:show-config")
@api.commands.app_argument
def nginx_show_config(app):
    """Print the nginx configuration of an app, as nginx has it.

    \b
    e.g.: nginx:show-config blog
    """
    from plugins.router_nginx import files
    from plugins.router_nginx.host import this_host

    api.app(app)
    text = files.read(files.app_path(this_host(), app))
    if text is None:
        raise api.errors.NotFound(
            f"{app} has no route", f"check whether it is deployed and its proxy enabled: proxy:report {app}"
        )
    api.output.data(text.rstrip("\n"))


@api.commands.command("nginx:validate-config")
@api.commands.optional_app_argument
def nginx_validate_config(app):
    """Ask nginx whether its configuration is valid: the whole of it, or that of one app.

    \b
    e.g.: nginx:validate-config
          nginx:validate-config blog
    """
    from plugins.router_nginx.router import NginxRouter

    if app:
        api.app(app)
    router = NginxRouter()
    said, conflicts = router.validate(app or "")
    for name in conflicts:
        api.output.warn(router.conflict(name, app or ""))
    if said:
        raise api.errors.BadConfig(f"nginx refuses the configuration: {said}", router.advice(said))
    api.output.step("nginx accepts the configuration" + (f" of {app}" if app else ""))


@api.commands.command("nginx:reload")
def nginx_reload():
    """Have nginx read its configuration again. Requests that are being served are not cut.

    \b
    e.g.: nginx:reload
    """
    from plugins.router_nginx.router import NginxRouter

    NginxRouter().reload()
    api.output.step("nginx has reloaded its configuration")


def _logs_command(kind: str, summary: str):
    """The command that shows one of the two logs of an app."""
    name = f"nginx:{kind}-logs"

    @api.commands.command(name, help=f"{summary}\n\n\b\ne.g.: {name} blog\n      {name} -t -n 50 blog")
    @click.option("-t", "--tail", is_flag=True, help="Go on with new lines")
    @click.option(
        "-n", "--num", "lines", type=click.IntRange(0, 100000), default=20, show_default=True, help="How many lines"
    )
    @api.commands.app_argument
    def logs(tail, lines, app):
        from plugins.router_nginx import logs as app_logs
        from plugins.router_nginx.host import this_host

        api.app(app)
        path = os.path.join(this_host().place.logs, f"{app}-{kind}.log")
        if not os.access(path, os.R_OK):
            if os.path.exists(path):
                raise api.errors.Unavailable(f"{path} cannot be read", "as root: usermod --append --groups adm paas")
            raise api.errors.NotFound(
                f"there is no {kind} log of {app} yet", f"check whether it is deployed: ps:report {app}"
            )
        app_logs.show(path, lines, tail)

    return logs


nginx_access_logs = _logs_command("access", "Show the last requests to an app.")
nginx_error_logs = _logs_command("error", "Show the last lines of nginx's error log of an app.")


def _rows(app) -> dict:
    from plugins.router_nginx.host import this_host

    logs = this_host().place.logs
    paths = {"access-log-path": f"{logs}/{app.name}-access.log", "error-log-path": f"{logs}/{app.name}-error.log"}
    return {f"nginx-{name}": value for name, value in (settings.report(app) | paths).items()}


def _everywhere() -> dict:
    found = settings.everywhere(settings.chosen_everywhere(api.kernel.platform()))
    return {f"nginx-{name}": value for name, value in found.items()}


nginx_report = api.commands.report_command(
    "nginx", _rows, "Show the nginx properties of an app, or of all.", _everywhere
)
