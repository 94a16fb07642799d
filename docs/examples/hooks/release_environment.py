from minipaas_lib import api


@api.hookimpl
def release_environment(app, build, commit):
    return {"SENTRY_RELEASE": commit[:12]} if commit else None
