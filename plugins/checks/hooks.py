"""Hooks of checks: container options and the report."""

from minipaas_lib import api
from plugins.checks import settings


@api.hookimpl
def container_options(app, process_type):
    seconds = settings.drain(app) if process_type == "web" else None
    options = {} if seconds is None else {"wait_to_retire": seconds}
    mode = settings.mode(app, process_type)
    return options | ({} if mode == "enabled" else {"checks": mode}) or None


@api.hookimpl
def report(app):
    live = api.live_release(app.name)
    own = app.table(settings.TABLE).get("wait-to-retire")
    computed = settings.drain(app)
    return {
        "checks-disabled-list": settings.in_mode(app, "disabled"),
        "checks-skipped-list": settings.in_mode(app, "skipped"),
        "checks-wait-to-retire": "" if own is None else own,
        "checks-global-wait-to-retire": settings.platform().get("wait-to-retire", settings.DEFAULT_WAIT),
        "checks-computed-wait-to-retire": settings.DEFAULT_WAIT if computed is None else computed,
        "checks-of-live-release": described(live) if live else [],
    }


def everywhere() -> dict:
    """The settings for all apps."""
    return {"checks-wait-to-retire": settings.platform().get("wait-to-retire", settings.DEFAULT_WAIT)}


def described(live) -> list[str]:
    """The checks that app.json gave the live release, such as `web:readiness:path`."""
    return [
        f"{process_type}:{check['type']}:{check['kind']}"
        for process_type, checks in sorted(live.healthchecks.items())
        for check in checks
    ]
