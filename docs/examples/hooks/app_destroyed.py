import os
import shutil

from minipaas_lib import api


@api.hookimpl
def app_destroyed(app):
    shutil.rmtree(os.path.join(api.paths.plugin_data("example"), app.name), ignore_errors=True)
