"""The documents of apps and of the platform: list, load, create, edit."""

import contextlib
from collections.abc import Callable

from minipaas_lib import caller, errors, output
from minipaas_lib import names as naming
from minipaas_lib.bus import authority, manager
from minipaas_lib.model.app import App
from minipaas_lib.store import documents, layout, open_store, toml
from minipaas_lib.store.contract import ABSENT

DOCUMENT_LIMIT = 400_000
"""Bytes of an app's document. A release holds it and the complete config in a document of contract.LONGEST."""


def names() -> list[str]:
    """All apps, sorted."""
    store = open_store()
    return [name for name in store.children(layout.APPS) if store.exists(layout.app(name))]


def exists(name: str) -> bool:
    """Whether there is an app of that name."""
    return open_store().exists(layout.app(name))


def is_gone(name: str, error: errors.MinipaasError) -> bool:
    """Whether `error` was raised because the app was destroyed or renamed in the meantime."""
    return isinstance(error, errors.NotFound) and not open_store().exists(layout.app(name))


def of_each(work: Callable[[str], object], failed: list[str] | None = None) -> dict:
    """The results of `work` by app, without apps that are destroyed or renamed in the meantime.

    A failure is reported and does not stop the others. The names of apps that failed are added to `failed`; without
    it errors.MinipaasError is raised at the end if any did.
    """
    results: dict = {}
    failing: list[str] = []
    for name in names():
        try:
            results[name] = work(name)
        except Exception as error:
            if has_failed(name, error):
                failing.append(name)
    if failed is not None:
        failed += failing
    elif failing:
        raise errors.MinipaasError(
            f"{len(failing)} of {len(failing) + len(results)} apps failed: {', '.join(failing)}",
            "look for what is wrong with them: doctor",
        )
    return results


def has_failed(name: str, error: Exception) -> bool:
    """Report the failure of one app among several; return False if there is none because the app has gone.

    Raises errors.Cancelled, which is not about that app alone.
    """
    if isinstance(error, errors.Cancelled):
        raise error
    if isinstance(error, errors.MinipaasError) and is_gone(name, error):
        return False
    output.warn(f"{name}: {manager.describe(error)}")
    if hint := getattr(error, "hint", ""):
        output.info(hint)
    return True


def load(name: str) -> App:
    """The app of that name. Raises errors.NotFound with the nearest name, errors.BadConfig for a broken document."""
    try:
        return App(name, documents.read(open_store(), layout.app(name)))
    except errors.NotFound:
        raise missing(name) from None


def missing(name: str) -> errors.NotFound:
    """The error for an app that does not exist or was renamed."""
    import difflib

    typed = caller.command()
    now_called = renamed_to(name)
    if now_called and authority.allows(typed or "git-upload-pack", now_called):
        git = not typed or typed.startswith("git:pre-")
        hint = f"git remote set-url paas paas@<host>:{now_called}" if git else f"{typed} {now_called}"
        return errors.NotFound(f"app {name} was renamed to {now_called}", hint)
    near = difflib.get_close_matches(name, names(), 1)
    shown = near and authority.allows(
        typed or "git-upload-pack", near[0]
    )  # an app that the key may not touch is not named to it
    hint = (f"did you mean {near[0]}? If not: " if shown else "") + f"apps:create {name}"
    return errors.NotFound(f"there is no app {naming.safe(name)}", hint)


def write(name: str, wishes: dict | None = None) -> App:
    """Create an app without a release, with `wishes` in its document, without notifying the plugins yet.

    Raises errors.UsageError if there is an app of that name.
    """
    app = App(name, {"created": now(), "creator": caller.key()} | (wishes or {}))
    try:
        documents.write(open_store(), layout.app(name), app.document, if_revision=ABSENT)
    except errors.Conflict:
        raise errors.UsageError(f"app {name} already exists", f"apps:report {name}") from None
    forget_renamed(name)
    return app


def note_renamed(name: str, new: str) -> None:
    """Remember the new name of the app that was called `name`, until another app takes that name."""
    documents.write(open_store(), f"renamed/{name}.toml", {"to": new, "at": now()})
    forget_renamed(new)


def forget_renamed(name: str) -> None:
    """Forget the new name of a renamed app, as an app has the name again."""
    with contextlib.suppress(errors.NotFound):
        open_store().delete(f"renamed/{name}.toml")


def renamed_to(name: str) -> str:
    """The present name of an app that had the name `name`; empty if there was none, or if it has gone."""
    store, seen = open_store(), {name}
    while True:
        try:
            name = documents.read(store, f"renamed/{name}.toml").get("to", "")
        except errors.MinipaasError:
            return ""
        if store.exists(layout.app(name)):
            return name
        if name in seen:
            return ""
        seen.add(name)


def edit(name: str, change: Callable) -> App:
    """Change the app's document, but nothing that runs; `change` gets the data of the document."""
    former = load(name)

    def checked(document: dict) -> None:
        change(document)
        check_fits(name, document, former.document)

    return App(name, documents.edit(open_store(), layout.app(name), checked))


def check_fits(name: str, document: dict, former: dict) -> None:
    """Refuse a document that is too large for a release; one that already is may only shrink.

    Raises errors.UsageError.
    """
    size = len(toml.dumps(document).encode("utf-8", "surrogateescape"))
    if size > DOCUMENT_LIMIT and size > len(toml.dumps(former).encode("utf-8", "surrogateescape")):
        message = f"the settings of {name} would take {size:,} bytes; the limit is {DOCUMENT_LIMIT:,}"
        raise errors.UsageError(message, "keep large values in a file or a datastore")


def platform() -> dict:
    """The platform's document; empty on a new host."""
    try:
        return documents.read(open_store(), layout.PLATFORM)
    except errors.NotFound:
        return {}


def edit_platform(change: Callable) -> dict:
    """Change the platform's document; `change` gets the data of the document."""
    return documents.edit(open_store(), layout.PLATFORM, change, create=True)


def now() -> str:
    """The current time in UTC, ISO 8601, to the second."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
