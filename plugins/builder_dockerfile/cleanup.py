"""Remove the images of an app."""

import subprocess

from minipaas_lib import api
from plugins.builder_dockerfile import client as clients


def remove_all(app: str) -> None:
    """Remove every image built for the app, tagged or not. Raises errors.Unavailable when docker refuses."""
    client = clients.find()
    listed = _docker(client, "images", "--quiet", "--no-trunc", "--filter", f"label=minipaas.app={app}")
    if images := sorted(set(listed.split())):
        _docker(client, "image", "rm", "--force", *images)


def _docker(client: clients.Client, *words: str) -> str:
    done = subprocess.run([client.path, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise api.errors.Unavailable("not all images could be removed: " + done.stderr.strip()[:300], "docker image prune")
    return done.stdout
