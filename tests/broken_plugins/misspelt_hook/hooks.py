from minipaas_lib import api


@api.hookimpl
def afterdeploy(app):
    pass
