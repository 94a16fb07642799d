"""The releases of an app in the store, and which one is live."""

import dataclasses
import re
from collections.abc import Iterator

from minipaas_lib import errors, output
from minipaas_lib.model.release import PENDING, RELEASED, Release
from minipaas_lib.records import apps
from minipaas_lib.store import documents, layout, open_store
from minipaas_lib.store.contract import ABSENT


def next_number(app: str) -> int:
    """Take a release number; none is reused, not even after the app was destroyed and created again."""
    while True:
        number, revision = _counted(app)
        try:
            open_store().write(layout.counter(app), f"{number}\n", revision)
            return number
        except errors.Conflict:
            continue


def count_from(app: str, number: int) -> None:
    """Reserve all release numbers up to `number`."""
    while True:
        coming, revision = _counted(app)
        if coming > number:
            return
        try:
            open_store().write(layout.counter(app), f"{number}\n", revision)
            return
        except errors.Conflict:
            continue


def coming_number(app: str) -> int:
    """The number the next release would have now, without taking it."""
    return _counted(app)[0]


def _counted(app: str) -> tuple[int, str]:
    """The next number and the revision of the counter. Raises errors.BadConfig."""
    path = layout.counter(app)
    try:
        document = open_store().read(path)
        return int(document.text) + 1, document.revision
    except errors.NotFound:
        return 1, ABSENT
    except ValueError:
        raise errors.BadConfig(
            f"{path} in the store does not hold a number", f"write the last release number of {app} there"
        ) from None


def write(release: Release) -> None:
    """Write a new release. Raises errors.Conflict if there is one with that number."""
    documents.write(
        open_store(), layout.release(release.app, release.number), release.to_document(), if_revision=ABSENT
    )


def finish(release: Release, status: str, failure: str = "") -> Release:
    """Set the outcome of a release, the only part of it that may change."""
    release = dataclasses.replace(release, status=status, failure=failure, ended=apps.now())
    documents.write(open_store(), layout.release(release.app, release.number), release.to_document())
    return release


def load(app: str, number: int) -> Release:
    """Read a release. Raises errors.NotFound."""
    try:
        return Release.from_document(app, documents.read(open_store(), layout.release(app, number)))
    except errors.NotFound:
        raise errors.NotFound(f"{app} has no release v{number}") from None


def numbers(app: str) -> list[int]:
    """The numbers of all releases of an app, oldest first."""
    files = (name.removesuffix(".toml") for name in open_store().children(layout.releases(app)))
    return sorted(int(name) for name in files if name.isascii() and name.isdigit())


def all_of(app: str) -> list[Release]:
    """All releases of an app, oldest first."""
    return [load(app, number) for number in numbers(app)]


def newest(app: str) -> Iterator[Release]:
    """The releases of an app, newest first, each read when it is reached."""
    return (load(app, number) for number in reversed(numbers(app)))


def before(app: str, number: int) -> Release | None:
    """The last release before `number` that was live, or None."""
    earlier = (load(app, n) for n in reversed(numbers(app)) if n < number)
    return next((release for release in earlier if release.status == RELEASED), None)


def kept(app: str, count: int) -> list[Release]:
    """The releases that an app can roll back to at once, newest first: the last `count` that were live.

    The live one is always among them, and so is one that is being deployed.
    """
    serving = live(app)
    chosen, remaining = [], count
    for release in newest(app):
        if release.status == RELEASED and remaining > 0:
            remaining -= 1
            chosen.append(release)
        elif release.status == PENDING or (serving and release.number == serving.number):
            chosen.append(release)
        if remaining <= 0 and (serving is None or release.number <= serving.number):
            break
    return chosen


def live(app: str) -> Release | None:
    """The release that routers send traffic to, or None before the first."""
    try:
        text = open_store().read(layout.live(app)).text
    except errors.NotFound:
        return None
    if not re.fullmatch("[0-9]{1,9}", text.strip()):
        raise errors.BadConfig(
            f"{layout.live(app)} in the store does not hold a release number",
            "write the number of the release that serves there",
        )
    return load(app, int(text))


def images_named(text: str) -> set[str]:
    """The IDs of the images in a document that cannot be parsed."""
    return set(re.findall("sha256:[0-9a-f]{64}", text))


def set_live(release: Release) -> None:
    """Make it the live release. Raises errors.Unavailable if another one stays live.

    A disk may fail after the document is in place (EIO when the folder is synced): then all readers, recovery
    included, see the release as live, so it counts as live.
    """
    try:
        open_store().write(layout.live(release.app), f"{release.number}\n")
    except errors.Unavailable as error:
        if _serving(release.app) not in (release.number, None):
            raise
        output.warn(f"{release.name} of {release.app} is live, but a power cut now might undo that: {error.message}")


def _serving(app: str) -> int | None:
    """The number of the live release; 0 before the first, None if it cannot be read."""
    try:
        return int(open_store().read(layout.live(app)).text)
    except errors.NotFound:
        return 0
    except (errors.MinipaasError, ValueError):
        return None
