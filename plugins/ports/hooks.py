"""The listeners of an app's route, where somebody mapped ports."""

from minipaas_lib import api
from plugins.ports import state


@api.hookimpl
def route_context(app):
    mappings = state.chosen(app)
    return {"listeners": [list(mapping) for mapping in mappings]} if mappings else None


@api.hookimpl
def report(app):
    return state.rows(app)
