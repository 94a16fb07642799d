from minipaas_lib import api


@api.hookimpl
def before_restore(app):
    lease = app.table("example").get("lease")
    for name in api.app_names():
        if lease and api.app(name).table("example").get("lease") == lease:
            raise api.errors.UsageError(f"{name} has the lease of {app.name} by now", f"example:release {name}")
