"""Hooks of registries: a build, a release, the report."""

from minipaas_lib import api
from plugins.registry import settings


@api.hookimpl
def docker_config(app):
    from plugins.registry import credentials

    return credentials.for_docker(app.name)


@api.hookimpl(trylast=True)
def before_release(app, release):
    """Send the image away before the release is written: what can refuse a release for less has then been asked."""
    chosen = settings.of(app, api.kernel.platform())
    if not chosen["push-on-release"] or not release.image:
        return
    from plugins.registry import credentials

    name = settings.target(chosen, release.number)
    settings.check(chosen, app.name)
    api.output.step(f"Pushing the image to {name}")
    credentials.push(app.name, release.image, name)


@api.hookimpl
def app_destroyed(app):
    from plugins.registry import credentials

    credentials.forget(app.name)


@api.hookimpl
def app_renamed(app, former):
    from plugins.registry import credentials

    credentials.rename(former, app.name)


@api.hookimpl
def report(app):
    from plugins.registry import credentials

    chosen = settings.of(app, api.kernel.platform())
    live = api.live_release(app.name)
    sent = settings.target(chosen, live.number) if live and chosen["push-on-release"] else ""
    return {
        **{f"registry-{key}": value for key, value in chosen.items()},
        "registry-image": sent,
        "registry-logins": credentials.servers(app.name),
        "registry-global-logins": credentials.servers(),
    }
