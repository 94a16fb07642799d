from minipaas_lib import api


@api.hookimpl
def report(app):
    return {}
