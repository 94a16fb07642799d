"""Whether an app has a route at all."""

from minipaas_lib import api
from plugins.proxy import state


@api.hookimpl
def route_context(app):
    return None if state.enabled(app) else {"enabled": False}


@api.hookimpl
def report(app):
    return state.rows(app)
