from minipaas_lib import api


@api.hookimpl
def before_deploy(app, release, previous):
    if previous and previous.port != release.port:
        api.output.warn(f"PORT of {app.name} changes from {previous.port} to {release.port}")
