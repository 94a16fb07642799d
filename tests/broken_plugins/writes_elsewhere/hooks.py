from minipaas_lib import api


@api.hookimpl
def report(app):
    api.edit_app(app.name, lambda document: document["config"].update(COLOUR="red"))
