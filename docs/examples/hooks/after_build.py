from minipaas_lib import api


@api.hookimpl
def after_build(app, build, commit):
    if "web" not in build.commands:
        raise api.errors.BuildFailed(f"{app.name} has no web process", "add it to the Procfile")
