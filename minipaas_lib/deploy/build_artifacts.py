"""What a killed command may leave on this host besides documents and processes: scratch folders, images."""

import contextlib
import os
from collections.abc import Callable, Iterable

from minipaas_lib import errors, folders, paths
from minipaas_lib.bus import manager
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases
from minipaas_lib.store import layout, open_store

FOLDERS = 100  # attempts to find a free name for a build folder
_TURNS = 10  # attempts to read all apps while some are created or removed


def build_folder(app: str, number: int) -> str:
    """A new folder for a build of the app. The caller holds its lock, so older folders are of dead builds."""
    remove(app)
    os.makedirs(paths.work(), mode=0o700, exist_ok=True)
    for attempt in range(1, FOLDERS + 1):
        folder = os.path.join(
            paths.work(), f"{app}.v{number}" + (f".{attempt}" if attempt > 1 else "")
        )  # no app's name has a dot
        try:
            os.mkdir(folder, 0o700)
            return folder
        except FileExistsError:  # something in it cannot be removed: use another name
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
    """The images of all apps' releases, and those of the apps called `app` in the trash.

    `of` returns the releases of an app that count, by default all. For an app with a broken document every image
    counts that its documents name: a broken app does not stop the pruning of others.
    """
    from minipaas_lib.records import apps, trashed

    images = trashed.images(app)  # and again at the end: an app may be restored or destroyed in the meantime
    for turn in range(_TURNS):
        try:
            for name in apps.names():
                try:
                    images |= {release.image for release in of(name)}
                except errors.BadConfig:
                    images |= _named_in(layout.folder(name))
            break
        except errors.NotFound:  # an app was destroyed or renamed in the meantime: read all of them again
            if turn == _TURNS - 1:
                raise
    return (images | trashed.images(app)) - {""}


def _named_in(folder: str) -> set[str]:
    """The images that the documents below a folder of the store name, even if they cannot be parsed."""
    texts = (open_store().read(path).text for path in open_store().list(folder))
    return {image for text in texts for image in releases.images_named(text)}


def prune_images(app: App) -> None:
    """Have the builders remove the app's images that no release of any app uses, in the trash or out of it."""
    try:  # of any app: a clone uses the images of its original
        kept = images_in_use(app.name) | {release.image for release in releases.all_of(app.name)}
    except errors.BadConfig:  # the image of a release that cannot be read is unknown
        return
    manager.notify("images_unused", app=app, kept=kept - {""}, newest=releases.coming_number(app.name) - 1)
