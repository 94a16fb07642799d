from minipaas_lib import api


@api.hookimpl
def may_use_image(app, owner):
    return True if owner == "company-base" else None
