from minipaas_lib import api


@api.hookimpl
def app_created(app):
    api.output.info(f"{app.name} is {app.creator}'s: add it to the wiki")
