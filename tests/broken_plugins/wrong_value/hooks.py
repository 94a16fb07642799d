from minipaas_lib import api


@api.hookimpl
def route_context(app):
    return {"domains": ["Not A Domain; }"]}
