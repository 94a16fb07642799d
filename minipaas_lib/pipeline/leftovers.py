"""What a killed command may leave on this host beside documents and processes: scratch folders, images."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable

from minipaas_lib import errors, paths
from minipaas_lib.bus import manager
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.pipeline import releases

_TURNS = 10  # of looking at all apps, where some go or come meanwhile


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


def images_in_use(app: str, of: Callable[[str], Iterable[Release]] = releases.all_of) -> set[str]:
    """The images that releases of any app have, and those of the apps called `app` in the trash.

    `of` gives the releases of an app that count; all of them without it. Raises errors.BadConfig for one that cannot be
    read.
    """
    from minipaas_lib.pipeline import apps, trash

    found = trash.images(app)  # and again at the end: one may be restored or destroyed meanwhile
    for turn in range(_TURNS):
        try:
            found |= {release.image for name in apps.names() for release in of(name)}
            break
        except errors.NotFound:  # an app was destroyed or renamed meanwhile: what has its images now?
            if turn == _TURNS - 1:
                raise
    return (found | trash.images(app)) - {""}


def prune_images(app: App) -> None:
    """Have the builders remove the images of that name that no release of any app has, in the trash or out of it."""
    try:  # of any app: a clone runs what its original built
        kept = images_in_use(app.name) | {release.image for release in releases.all_of(app.name)}
    except errors.BadConfig:  # of a release that cannot be read nobody knows the image
        return
    manager.notify("images_unused", app=app, kept=kept - {""}, newest=releases.coming_number(app.name) - 1)
