from minipaas_lib import api


@api.hookimpl
def docker_config(app):
    return app.table("example").get("credentials")  # None: leave it to another plugin
