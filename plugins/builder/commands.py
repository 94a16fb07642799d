"""builder:set and builder:report."""

import click

from minipaas_lib import api
from plugins.builder import authority, settings


@api.commands.command("builder:set")
@api.commands.wait_option
@api.commands.target_argument("Set it for all apps that have no value of their own")
@click.argument("property", metavar="<property>")
@click.argument("text", metavar="[<value>]", default="")
def builder_set(app, property, text):
    """Set or clear how apps are built; the next build goes by it.

    \b
    selected        the builder, by name (builder:report lists them); else the first that finds its files
    build-dir       the folder of the repository to build from; what is outside it is not in the build
    http-proxy, https-proxy, no-proxy
                    the proxy of builds, and the hosts that need none
    pip-index-url, npm-registry
                    where builds get packages of Python and of Node from
    ca-file         a PEM file with the certificates that downloads of builds trust, in place of the
                    usual ones; - reads it from stdin, and over ssh that is the only way

    Builds and everybody who may push see these values. A password in a URL is not shown by
    builder:report.

    \b
    e.g.: builder:set blog selected dockerfile
          builder:set blog build-dir services/web
          builder:set --global http-proxy http://proxy.example.org:3128
          builder:set --global ca-file - < company.pem
          builder:set blog selected
    """
    app, key = app or "", settings.known(property)
    if key == settings.CA:
        _set_authority(app, text)
        shown = text and f"set from {'stdin' if text == '-' else api.names.safe(text)}"
    else:
        value = settings.parse(key, text, api.kernel.builders()) if text else ""
        _set(app, key, value)
        shown = value and f"now {settings.masked(value)}"
    hint = f"; to build with it: ps:rebuild {app}" if app else ""
    api.output.step(f"{key} of {app or 'all apps'} is {shown or 'cleared'}{hint}")


def _set(app: str, key: str, value: str) -> None:
    def change(document) -> None:
        table = document.setdefault(settings.TABLE, {})
        if value:
            table[key] = value
        else:
            table.pop(key, None)
        if not table:
            del document[settings.TABLE]

    api.edit_app(app, change) if app else api.kernel.edit_platform(change)


def _set_authority(app: str, file: str) -> None:
    if app:
        api.app(app)  # before stdin is read
    pem = authority.parse(api.commands.read_input(file, authority.LIMIT)) if file else ""
    if not app:
        authority.write(pem)
        return
    with api.lock(app):
        authority.write(pem, app)


def _rows(app=None) -> dict:
    """The lines of builder:report: for each property what the app says, what all apps get, and what holds."""
    everywhere = api.kernel.platform().get(settings.TABLE, {})
    own, holds = (app.table(settings.TABLE), settings.effective(app)) if app else ({}, {})
    rows = {}
    for key in settings.STORED:
        if app:
            rows[f"builder-{key}"] = settings.masked(own.get(key, ""))
            rows[f"builder-computed-{key}"] = settings.masked(holds.get(key, ""))
        rows[f"builder-global-{key}"] = settings.masked(everywhere.get(key, ""))
    if app:
        rows["builder-ca-file"] = authority.described(authority.read(app.name))
        rows["builder-computed-ca-file"] = authority.described(authority.effective(app))
    rows["builder-global-ca-file"] = authority.described(authority.read())
    return rows | {"builder-available": api.kernel.builders()}


builder_report = api.commands.report_command("builder", _rows, "Report how an app is built", _rows)
