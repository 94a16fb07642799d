from minipaas_lib import api


@api.hookimpl
def route_changed(app, route):
    api.output.info(
        f"purged the cache of {app.name}" if route is None else f"warming {len(route.domains)} domains of {app.name}"
    )
