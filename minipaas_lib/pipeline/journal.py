"""What a rollout in progress would need to be undone, written before it begins; see recover."""

from minipaas_lib import errors
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.pipeline import apps, merge
from minipaas_lib.store import documents, open_store


def path(app: str) -> str:
    return f"apps/{app}/rollout.toml"


def begin(app: App, release: Release) -> None:
    """A rollout of `release` begins: keep the app's document as it is, and what it will say (`app`)."""
    former = open_store().read(apps.document_path(app.name)).text
    record = {"release": release.number, "former": former, "wanted": app.document}
    documents.write(open_store(), path(app.name), record)


def unfinished(app: str) -> int | None:
    """The release of a rollout that has neither gone live nor been undone, or None."""
    try:
        return documents.read(open_store(), path(app))["release"]
    except errors.NotFound:
        return None


def undo(app: str) -> None:
    """Give the app its former document back, and end. What others changed in it meanwhile stays."""
    try:
        record = documents.read(open_store(), path(app))
    except errors.NotFound:
        return
    _put_back(apps.document_path(app), record["former"], record["wanted"])
    end(app)


def _put_back(document_path: str, former: str, wanted: dict) -> None:
    """Undo the change from `former` to `wanted` in the document, where it was made at all."""
    import tomllib

    store = open_store()
    present, before = store.read(document_path), tomllib.loads(former)
    try:
        if tomllib.loads(present.text) == wanted:
            if wanted != before:
                store.write(document_path, former, present.revision)
            return
    except errors.Conflict:
        pass
    documents.edit(store, document_path, lambda document: merge.apply_difference(document, wanted, before))


def end(app: str) -> None:
    """The rollout is over."""
    try:
        open_store().delete(path(app))
    except errors.NotFound:
        pass
