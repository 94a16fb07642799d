from minipaas_lib import api


@api.hookimpl
def before_clone(app, name):
    if app.table("example").get("single"):
        raise api.errors.UsageError(f"there can be only one {app.name}", "example:set --no-single")
    return ["example.lease"]  # the rest of the table is copied
