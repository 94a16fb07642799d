"""What the trash has of destroyed apps: their documents in one document, their repository and output in a folder."""

import os
import re
import time

from minipaas_lib import errors, names, output, paths
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.records import releases
from minipaas_lib.store import documents, open_store

KEPT = 7 * 24 * 3600  # seconds


_TIME = "%Y-%m-%dT%H:%M:%SZ"


def entries() -> list[dict]:
    """What is in the trash, oldest first: id, app, destroyed and until (UTC, ISO 8601), by (a key's name)."""
    found = []
    for file in open_store().children("trash"):
        identity = file.removesuffix(".toml")
        try:
            record = documents.read(open_store(), path(identity))
            about = {key: record[key] for key in ("app", "destroyed", "by")}
            found.append({"id": identity, **about, "until": _until(record["destroyed"])})
        except errors.NotFound:
            continue  # purged by another command meanwhile
        except errors.BadConfig as error:  # one that was edited by hand is no reason to purge none
            output.warn(error.message)
        except (KeyError, TypeError, ValueError):
            output.warn(f"{path(identity)} does not say what was destroyed, and when")
    return sorted(found, key=lambda entry: (entry["destroyed"], number_of(entry["id"])))


def entries_of(app: str) -> list[str]:
    """The trashed apps of a name, oldest first."""
    mine = [file.removesuffix(".toml") for file in open_store().children("trash") if file.partition(".")[0] == app]
    return sorted(mine, key=number_of)


def path(identity: str) -> str:
    return f"trash/{identity}.toml"


def number_of(identity: str) -> int:
    return int(identity.rpartition(".")[2])


def find(text: str) -> str:
    """The trashed app that somebody named `blog`, the latest of that name, or `blog.2`. Raises errors.NotFound."""
    if re.fullmatch(names.APP_NAME + "[.][0-9]{1,6}", text):
        if open_store().exists(path(text)):
            return text
    elif found := entries_of(names.app_name(text)):
        return found[-1]
    raise errors.NotFound(f"there is no {names.safe(text)} in the trash", "apps:trash")


def images(app: str) -> set[str]:
    """The images that releases of the trashed apps of that name have."""
    return {image for identity in entries_of(app) for image in _images(identity)}


def app_of(identity: str) -> App:
    """Raises errors.NotFound, errors.BadConfig."""
    texts = documents.read(open_store(), path(identity))["documents"]
    return App(identity.partition(".")[0], documents.parse(open_store(), path(identity), texts["app.toml"]))


def _images(identity: str) -> set[str]:
    """The images of a trashed app's releases; of a document that cannot be read all that it names."""
    store = open_store()
    try:
        whole = store.read(path(identity)).text
        texts = documents.parse(store, path(identity), whole)["documents"]
        mine = [text for document, text in texts.items() if document.startswith("releases/")]
        return {Release.from_document("", documents.parse(store, path(identity), text)).image for text in mine}
    except errors.NotFound:
        return set()
    except (errors.BadConfig, KeyError, AttributeError):
        return releases.images_named(whole)


def folder(identity: str, *parts: str) -> str:
    return os.path.join(paths.root(), "trash", identity, *parts)


def _until(destroyed: str) -> str:
    import calendar

    return time.strftime(_TIME, time.gmtime(calendar.timegm(time.strptime(destroyed, _TIME)) + KEPT))
