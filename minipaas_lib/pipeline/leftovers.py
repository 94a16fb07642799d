"""What a killed command may leave on this host beside documents and processes: scratch folders, images."""

import contextlib
import os
import shutil

from minipaas_lib import errors, paths
from minipaas_lib.bus import manager
from minipaas_lib.model.app import App
from minipaas_lib.pipeline import releases


def build_folder(app: str, number: int) -> str:
    """A new folder for a build of the app, whose lock the caller holds: what is there of another is a dead one's."""
    remove(app)
    folder = os.path.join(paths.work(), f"{app}.v{number}")  # no app's name has a dot
    os.makedirs(folder, mode=0o700)
    return folder


def remove(app: str) -> None:
    """Remove the scratch folders of the app's builds. The caller holds the app's lock."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(paths.work()):
            if name.startswith(app + ".v"):
                shutil.rmtree(os.path.join(paths.work(), name), ignore_errors=True)


def prune_images(app: App) -> None:
    """Have the builders remove the images of that name that no release of any app has, in the trash or out of it."""
    from minipaas_lib.pipeline import apps, trash

    try:  # of any app: a clone runs what its original built
        kept = {release.image for name in {app.name, *apps.names()} for release in releases.all_of(name)} | trash.images(app.name)
    except errors.BadConfig:  # of a release that cannot be read nobody knows the image
        return
    manager.notify("images_unused", app=app, kept=kept - {""}, newest=releases.coming_number(app.name) - 1)
