"""What a killed command may leave on this host beside documents and processes: scratch folders, images."""

import contextlib
import os
from collections.abc import Callable, Iterable

from minipaas_lib import errors, folders, paths
from minipaas_lib.bus import manager
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases
from minipaas_lib.store import open_store

FOLDERS = 100  # of a build that may be left over
_TURNS = 10  # of looking at all apps, where some go or come meanwhile


def build_folder(app: str, number: int) -> str:
    """A new folder for a build of the app, whose lock the caller holds: what is there of another is a dead one's."""
    remove(app)
    os.makedirs(paths.work(), mode=0o700, exist_ok=True)
    for attempt in range(1, FOLDERS + 1):
        folder = os.path.join(
            paths.work(), f"{app}.v{number}" + (f".{attempt}" if attempt > 1 else "")
        )  # no app's name has a dot
        try:
            os.mkdir(folder, 0o700)
            return folder
        except FileExistsError:  # something in it is not ours to remove: that is no reason to build no more
            continue
    raise errors.Unavailable(
        f"{paths.work()} is full of folders of {app} that cannot be removed", f"as root: rm -rf {paths.work()}/{app}.v*"
    )


def remove(app: str) -> None:
    """Remove the scratch folders of the app's builds. The caller holds the app's lock."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(paths.work()):
            if name.startswith(app + ".v"):
                folders.remove(os.path.join(paths.work(), name))


def images_in_use(app: str, of: Callable[[str], Iterable[Release]] = releases.all_of) -> set[str]:
    """The images that releases of any app have, and those of the apps called `app` in the trash.

    `of` gives the releases of an app that count; all of them without it. Of an app with a document that cannot be read
    every image counts that its documents name: one app that is broken stops the pruning of no other.
    """
    from minipaas_lib.records import apps, trashed

    found = trashed.images(app)  # and again at the end: one may be restored or destroyed meanwhile
    for turn in range(_TURNS):
        try:
            for name in apps.names():
                try:
                    found |= {release.image for release in of(name)}
                except errors.BadConfig:
                    found |= _named_in(f"apps/{name}")
            break
        except errors.NotFound:  # an app was destroyed or renamed meanwhile: what has its images now?
            if turn == _TURNS - 1:
                raise
    return (found | trashed.images(app)) - {""}


def _named_in(folder: str) -> set[str]:
    """The images that the documents below a folder of the store name, whether they can be parsed or not."""
    texts = (open_store().read(path).text for path in open_store().list(folder))
    return {image for text in texts for image in releases.images_named(text)}


def prune_images(app: App) -> None:
    """Have the builders remove the images of that name that no release of any app has, in the trash or out of it."""
    try:  # of any app: a clone runs what its original built
        kept = images_in_use(app.name) | {release.image for release in releases.all_of(app.name)}
    except errors.BadConfig:  # of a release that cannot be read nobody knows the image
        return
    manager.notify("images_unused", app=app, kept=kept - {""}, newest=releases.coming_number(app.name) - 1)
