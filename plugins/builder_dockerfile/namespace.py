"""The namespace of an app's cache mounts: the document apps/<app>/build-cache.toml.

`RUN --mount=type=cache` names a folder that outlives the build, and docker knows one set of such names for everybody.
The namespace goes with an app when it is renamed and into the trash with it; a clone, and another app of the same name
later, have one of their own.
"""

import secrets

from minipaas_lib import api


def path(app: str) -> str:
    return f"apps/{app}/build-cache.toml"


def of(app) -> str:
    """The namespace of the app's cache mounts, which it has from its first build on.

    The caller holds the app's lock.
    """
    try:
        kept = dict(api.kernel.documents.read(api.kernel.store(), path(app.name)))
    except api.errors.NotFound:
        kept = {}
    # A clone gets its original's documents; when an app was created tells the two apart.
    if kept.get("created") != app.created or not isinstance(kept.get("namespace"), str):
        kept = {"created": app.created, "namespace": secrets.token_hex(16)}
        api.kernel.documents.write(api.kernel.store(), path(app.name), kept)
    return kept["namespace"]
