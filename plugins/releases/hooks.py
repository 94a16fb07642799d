"""What becomes of old releases once there is a new one."""

from minipaas_lib import api
from plugins.releases import settings


@api.hookimpl
def after_deploy(app, release):
    if len(api.kernel.release_numbers(app.name)) > settings.keep(app):
        _prune_later(app)


@api.hookimpl
def deploy_failed(app, release):
    if release.image:
        _prune_later(app)


@api.hookimpl
def report(app):
    return {"releases-keep": settings.keep(app)}


def _prune_later(app) -> None:
    """Prune after the command has returned, so that no deploy waits for the removal of images."""
    from plugins.releases import pruning

    api.in_background(lambda: pruning.prune(app))
