import os

from minipaas_lib import api


@api.hookimpl
def before_build(app, context, commit):
    with open(os.path.join(context, "REVISION"), "x", encoding="ascii") as file:  # x: follows no link that was pushed
        file.write(commit + "\n")
