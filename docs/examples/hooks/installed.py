import os

from minipaas_lib import api


@api.hookimpl
def installed():
    os.makedirs(os.path.join(api.paths.plugin_data("example"), "queue"), mode=0o700, exist_ok=True)
