import os

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is not None:
        return None
    there = os.path.isdir("/srv")
    said = "it is there" if there else "the folder of the apps' files is missing"
    return [api.Finding("/srv", there, said, "" if there else "sudo mkdir /srv")]
