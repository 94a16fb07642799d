"""Hooks of apps."""

from minipaas_lib import api


@api.hookimpl
def report(app):
    from plugins.apps import commands

    return commands.rows(app)
