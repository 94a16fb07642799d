"""What a rollout in progress would need to be undone, written before it begins; see recover."""

from minipaas_lib import errors
from minipaas_lib.model.release import Release
from minipaas_lib.pipeline import apps
from minipaas_lib.store import documents, open_store


def path(app: str) -> str:
    return f"apps/{app}/rollout.toml"


def begin(app: str, release: Release) -> None:
    """A rollout of `release` begins; keep the app's document as it is."""
    former = open_store().read(apps.document_path(app)).text
    documents.write(open_store(), path(app), {"release": release.number, "former": former})


def unfinished(app: str) -> int | None:
    """The release of a rollout that has neither gone live nor been undone, or None."""
    try:
        return documents.read(open_store(), path(app))["release"]
    except errors.NotFound:
        return None


def undo(app: str) -> None:
    """Give the app its former document back, and end."""
    store = open_store()
    former = documents.read(store, path(app))["former"]
    if store.read(apps.document_path(app)).text != former:
        store.write(apps.document_path(app), former)
    end(app)


def end(app: str) -> None:
    """The rollout is over."""
    try:
        open_store().delete(path(app))
    except errors.NotFound:
        pass
