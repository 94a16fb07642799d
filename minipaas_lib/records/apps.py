"""The documents of apps and of the platform: list, load, create, edit."""

import contextlib
from collections.abc import Callable

from minipaas_lib import caller, errors, output
from minipaas_lib import names as naming
from minipaas_lib.bus import authority, manager
from minipaas_lib.model.app import App
from minipaas_lib.store import documents, open_store, toml
from minipaas_lib.store.contract import ABSENT

PLATFORM = "platform.toml"
DOCUMENT_LIMIT = 400_000
"""Bytes of an app's document. A release has it, and the whole config beside it, in one of contract.LONGEST."""


def document_path(name: str) -> str:
    return f"apps/{name}/app.toml"


def names() -> list[str]:
    """All apps, sorted."""
    store = open_store()
    return [name for name in store.children("apps") if store.exists(document_path(name))]


def exists(name: str) -> bool:
    """Whether there is an app of that name."""
    return open_store().exists(document_path(name))


def is_gone(name: str, error: errors.MinipaasError) -> bool:
    """Whether what failed with `error` did because the app was destroyed or renamed meanwhile."""
    return isinstance(error, errors.NotFound) and not open_store().exists(document_path(name))


def of_each(work: Callable[[str], object], failed: list[str] | None = None) -> dict:
    """What `work` gives of each app, by name; an app that is destroyed or renamed meanwhile is left out.

    What fails of one app is reported, and the others go on. The names of those that failed are added to `failed`;
    without it errors.MinipaasError is raised at the end where any did.
    """
    found: dict = {}
    bad: list[str] = []
    for name in names():
        try:
            found[name] = work(name)
        except Exception as error:
            if has_failed(name, error):
                bad.append(name)
    if failed is not None:
        failed += bad
    elif bad:
        raise errors.MinipaasError(
            f"{len(bad)} of {len(bad) + len(found)} apps failed: {', '.join(bad)}",
            "look for what is wrong with them: doctor",
        )
    return found


def has_failed(name: str, error: Exception) -> bool:
    """Report what failed of one app among several; False where it is no failure: the app has gone meanwhile.

    Raises what is not about that app alone: errors.Cancelled.
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
        return App(name, documents.read(open_store(), document_path(name)))
    except errors.NotFound:
        raise missing(name) from None


def missing(name: str) -> errors.NotFound:
    """The error for an app that does not exist, or has another name now."""
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
    """Create an app without a release, whose document says `wishes`; the plugins are not told yet.

    Raises errors.UsageError when there is one of that name.
    """
    app = App(name, {"created": now(), "creator": caller.key()} | (wishes or {}))
    try:
        documents.write(open_store(), document_path(name), app.document, if_revision=ABSENT)
    except errors.Conflict:
        raise errors.UsageError(f"app {name} already exists", f"apps:report {name}") from None
    forget_renamed(name)
    return app


def note_renamed(name: str, new: str) -> None:
    """Remember what an app is called now that had the name `name`, until another app takes that."""
    documents.write(open_store(), f"renamed/{name}.toml", {"to": new, "at": now()})
    forget_renamed(new)


def forget_renamed(name: str) -> None:
    """The name is an app's again."""
    with contextlib.suppress(errors.NotFound):
        open_store().delete(f"renamed/{name}.toml")


def renamed_to(name: str) -> str:
    """What the app is called now that had that name; empty where none had it, or that app has gone."""
    store, seen = open_store(), {name}
    while True:
        try:
            name = documents.read(store, f"renamed/{name}.toml").get("to", "")
        except errors.MinipaasError:
            return ""
        if store.exists(document_path(name)):
            return name
        if name in seen:
            return ""
        seen.add(name)


def edit(name: str, change: Callable) -> App:
    """Change the app's document and nothing that runs; `change` gets the data of the document."""
    former = load(name)

    def checked(document: dict) -> None:
        change(document)
        check_fits(name, document, former.document)

    return App(name, documents.edit(open_store(), document_path(name), checked))


def check_fits(name: str, document: dict, former: dict) -> None:
    """Refuse a document of which no release could be made. One that is too large already may only become smaller.

    Raises errors.UsageError.
    """
    size = len(toml.dumps(document).encode("utf-8", "surrogateescape"))
    if size > DOCUMENT_LIMIT and size > len(toml.dumps(former).encode("utf-8", "surrogateescape")):
        said = f"the settings of {name} would take {size:,} bytes; the limit is {DOCUMENT_LIMIT:,}"
        raise errors.UsageError(said, "keep large values in a file or a datastore")


def platform() -> dict:
    """The platform's document; empty on a new host."""
    try:
        return documents.read(open_store(), PLATFORM)
    except errors.NotFound:
        return {}


def edit_platform(change: Callable) -> dict:
    """Change the platform's document; `change` gets the data of the document."""
    return documents.edit(open_store(), PLATFORM, change, create=True)


def now() -> str:
    """This moment in UTC, ISO 8601 to the second."""
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
