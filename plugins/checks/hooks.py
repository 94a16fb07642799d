"""Where checks meet a release."""

from minipaas_lib import api

from plugins.checks import settings


@api.hookimpl
def container_options(app, process_type):
    seconds = app.table(settings.TABLE).get("wait-to-retire")
    return {"wait_to_retire": seconds} if process_type == "web" and seconds is not None else None


@api.hookimpl
def report(app):
    table = app.table(settings.TABLE)
    return {"checks-wait-to-retire": table.get("wait-to-retire", settings.DEFAULT_WAIT)}
