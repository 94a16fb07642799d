from minipaas_lib import api


@api.hookimpl
def build_settings(app):
    return {"environment": {"HTTPS_PROXY": "http://proxy.example.org:3128"}}
