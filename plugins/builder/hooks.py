"""What builder:set says, for those who build. tryfirst: a builder that somebody chose needs not be found."""

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
