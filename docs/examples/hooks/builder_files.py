from minipaas_lib import api


@api.hookimpl
def builder_files(app):
    return ["index.html"]
