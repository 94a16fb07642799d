import os

from minipaas_lib import api


@api.hookimpl
def app_renamed(app, former):
    folder = api.paths.plugin_data("example")
    old, new = (os.path.join(folder, name) for name in (former, app.name))
    if os.path.isdir(old) and former not in api.app_names():  # nothing to do the second time
        os.rename(old, new)
