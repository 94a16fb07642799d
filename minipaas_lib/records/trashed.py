"""Destroyed apps in the trash: their documents in a single one, their repository and output in a folder."""

import os
import re
import time

from minipaas_lib import errors, names, output, paths
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases
from minipaas_lib.store import documents, layout, open_store

KEPT = 7 * 24 * 3600  # seconds


_TIME = "%Y-%m-%dT%H:%M:%SZ"


def entries() -> list[dict]:
    """The content of the trash, oldest first: id, app, destroyed and until (UTC, ISO 8601), by (a key's name)."""
    listing = []
    for file in open_store().children(layout.TRASH):
        identity = file.removesuffix(".toml")
        try:
            record = documents.read(open_store(), layout.trashed(identity))
            fields = {key: record[key] for key in ("app", "destroyed", "by")}
            listing.append({"id": identity, **fields, "until": _until(record["destroyed"])})
        except errors.NotFound:
            continue  # another command has purged it
        except errors.BadConfig as error:  # an entry broken by hand must not keep the others from being purged
            output.warn(error.message)
        except (KeyError, TypeError, ValueError):
            output.warn(f"{layout.trashed(identity)} does not say what was destroyed, and when")
    return sorted(listing, key=lambda entry: (entry["destroyed"], number_of(entry["id"])))


def entries_of(app: str) -> list[str]:
    """The trashed apps of a name, oldest first."""
    identities = [
        file.removesuffix(".toml") for file in open_store().children(layout.TRASH) if file.partition(".")[0] == app
    ]
    return sorted(identities, key=number_of)


def number_of(identity: str) -> int:
    return int(identity.rpartition(".")[2])


def find(text: str) -> str:
    """The trashed app called `blog.2`, or the latest of the name for `blog`. Raises errors.NotFound."""
    if re.fullmatch(names.APP_NAME + "[.][0-9]{1,6}", text):
        if open_store().exists(layout.trashed(text)):
            return text
    elif identities := entries_of(names.app_name(text)):
        return identities[-1]
    raise errors.NotFound(f"there is no {names.safe(text)} in the trash", "apps:trash")


def images(app: str) -> set[str]:
    """The images of all releases of the trashed apps of that name."""
    return {image for identity in entries_of(app) for image in _images(identity)}


def app_of(identity: str) -> App:
    """The app as it was destroyed. Raises errors.NotFound, errors.BadConfig."""
    texts = documents.read(open_store(), layout.trashed(identity))["documents"]
    return App(identity.partition(".")[0], documents.parse(open_store(), layout.trashed(identity), texts["app.toml"]))


def _images(identity: str) -> set[str]:
    """The images of a trashed app's releases; if the document cannot be parsed, all images in it."""
    store = open_store()
    try:
        content = store.read(layout.trashed(identity)).text
        texts = documents.parse(store, layout.trashed(identity), content)["documents"]
        release_texts = [text for document, text in texts.items() if document.startswith("releases/")]
        return {
            Release.from_document("", documents.parse(store, layout.trashed(identity), text)).image
            for text in release_texts
        }
    except errors.NotFound:
        return set()
    except (errors.BadConfig, KeyError, AttributeError):
        return releases.images_named(content)


def folder(identity: str, *parts: str) -> str:
    return os.path.join(paths.root(), "trash", identity, *parts)


def _until(destroyed: str) -> str:
    import calendar

    return time.strftime(_TIME, time.gmtime(calendar.timegm(time.strptime(destroyed, _TIME)) + KEPT))
