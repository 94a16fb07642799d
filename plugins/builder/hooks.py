"""The settings of builder:set, for builds. tryfirst: a builder that was set need not be detected."""

from minipaas_lib import api
from plugins.builder import settings


@api.hookimpl
def source_folder(app):
    return settings.effective(app).get("build-dir")


@api.hookimpl(tryfirst=True)
def detect_builder(app):
    chosen = settings.effective(app).get("selected")
    return f"{chosen}: builder:set selected it" if chosen else None


@api.hookimpl
def build_settings(app):
    from plugins.builder import authority

    return {"environment": settings.environment(settings.effective(app)), "ca": authority.effective(app)}
