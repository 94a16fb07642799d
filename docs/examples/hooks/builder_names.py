from minipaas_lib import api


@api.hookimpl
def builder_names():
    return ["example"]
