"""Look at what the old processes have written before new ones take their place."""

from minipaas_lib import api


@api.hookimpl
def before_deploy(app, release, previous):
    if previous is None or release.processes != release.number:  # nothing that runs is replaced
        return
    from plugins.local_data import warning

    warning.warn(app, previous)
