from minipaas_lib import api


@api.hookimpl
def after_deploy(app, release):
    return 1 / 0
