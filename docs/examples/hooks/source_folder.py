from minipaas_lib import api


@api.hookimpl
def source_folder(app):
    return app.table("example").get("folder")  # None: leave it to another plugin
