"""The releases of an app in the store, and which one is live."""

import dataclasses

from minipaas_lib import errors
from minipaas_lib.model.release import Release
from minipaas_lib.store import documents, open_store
from minipaas_lib.store.contract import ABSENT


def next_number(app: str) -> int:
    """Take a release number; none is given twice, not even after the app was destroyed and created anew."""
    store, path = open_store(), f"counters/{app}"
    while True:
        try:
            document = store.read(path)
            last, revision = int(document.text), document.revision
        except errors.NotFound:
            last, revision = 0, ABSENT
        except ValueError:
            raise errors.BadConfig(f"{path} in the store holds no number", f"write the last release number of {app} there") from None
        try:
            store.write(path, f"{last + 1}\n", revision)
            return last + 1
        except errors.Conflict:
            continue


def write(release: Release) -> None:
    """Write a new release. Raises errors.Conflict when there is one of that number."""
    documents.write(open_store(), path(release.app, release.number), release.to_document(), if_revision=ABSENT)


def finish(release: Release, status: str, failure: str = "") -> Release:
    """Set the one thing of a release that may change."""
    release = dataclasses.replace(release, status=status, failure=failure)
    documents.write(open_store(), path(release.app, release.number), release.to_document())
    return release


def load(app: str, number: int) -> Release:
    """Raises errors.NotFound."""
    try:
        return Release.from_document(app, documents.read(open_store(), path(app, number)))
    except errors.NotFound:
        raise errors.NotFound(f"{app} has no release v{number}") from None


def all_of(app: str) -> list[Release]:
    """All releases of an app, oldest first."""
    files = (name.removesuffix(".toml") for name in open_store().children(f"apps/{app}/releases"))
    return [load(app, number) for number in sorted(int(name) for name in files if name.isdigit())]


def live(app: str) -> Release | None:
    """The release that routers send traffic to, or None before the first."""
    try:
        text = open_store().read(f"apps/{app}/live").text
    except errors.NotFound:
        return None
    if not text.strip().isdigit():
        raise errors.BadConfig(f"apps/{app}/live in the store holds no release number", "write the number of the release that serves there")
    return load(app, int(text))


def set_live(release: Release) -> None:
    open_store().write(f"apps/{release.app}/live", f"{release.number}\n")


def path(app: str, number: int) -> str:
    return f"apps/{app}/releases/{number}.toml"
