"""What a command in progress would need to be finished or undone, and each of its steps, written before it is taken.

The record is a document of the store: it is there, durably, before anything is done. The steps are lines of a file
beside it: they say where a killed command stood, but recover decides by what is there, not by them, so that they need
not survive a power cut and cost a deploy nothing worth measuring. Where other hosts share the store, one of them may
have to go on: there the last step is a document too.
"""

import contextlib
import os
import threading

from minipaas_lib import caller, errors, output, paths
from minipaas_lib.journal import held
from minipaas_lib.model.app import App
from minipaas_lib.records import apps
from minipaas_lib.store import documents, merge, open_store

_one_at_a_time = threading.Lock()  # processes that start side by side have a step each


def path(app: str) -> str:
    return f"apps/{app}/rollout.toml"


def step_path(app: str) -> str:
    """Where the last step is kept in a shared store."""
    return f"apps/{app}/step"


def begin(app: str, operation: str, **about) -> None:
    """A command begins to change the app; `operation` is one that recover knows, `about` what it needs to know."""
    os.makedirs(paths.work(), mode=0o700, exist_ok=True)
    forget_steps(app)
    record = {"operation": operation, "key": caller.key(), "began": apps.now(), **about}
    documents.write(open_store(), path(app), record)


def add(app: str, **about) -> None:
    """Note more about the command that is going on; nothing where none was begun."""
    if record := read(app):
        documents.write(open_store(), path(app), record | about)


def read(app: str) -> dict:
    """The record of a command that was begun and neither finished nor undone; empty where there is none."""
    try:
        return documents.read(open_store(), path(app))
    except errors.NotFound:
        return {}


def note_failure(app: str, error: BaseException) -> None:
    """A command ends with an error: where it leaves something undone, nobody is to think that it was killed."""
    with contextlib.suppress(Exception):  # it is only about words
        add(app, failed=errors.words(error))


@contextlib.contextmanager
def step(app: str, what: str):
    """Note that `what` is about to be done; the body of the context does it. Does not return without our locks."""
    _still_alone()
    with _one_at_a_time:
        _note(app, what)
    yield


def _note(app: str, what: str) -> None:
    if open_store().shared:
        open_store().write(step_path(app), f"{what}\n")
        return
    file = os.open(_steps(app), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{what}\n".encode())
    finally:
        os.close(file)


def _still_alone() -> None:
    """End this process, as if it had been killed, where a lock of it was lost: another host may be going on by now."""
    try:
        for lock in held.locks:
            lock.check()
    except errors.Unavailable as error:
        output.warn(error.message)
        output.hint(error.hint)
        die()


def last_step(app: str) -> str:
    """What was being done when the app's command was killed; empty where that is not known."""
    if open_store().shared:
        with contextlib.suppress(errors.NotFound):
            return open_store().read(step_path(app)).text.rstrip("\n")
        return ""
    try:
        with open(_steps(app), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def keep_document(app: App) -> None:
    """The app's document is about to say what `app` says: keep what it says now. Nothing is kept where that is it."""
    former = open_store().read(apps.document_path(app.name)).text
    if apps.load(app.name).document != app.document:
        documents.write(open_store(), path(app.name), read(app.name) | {"former": former, "wanted": app.document})


def undo(app: str) -> None:
    """Give the app its former document back where it was changed, and end. What others changed meanwhile stays."""
    record = read(app)
    if "former" in record:
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
    """The command is over."""
    with contextlib.suppress(errors.NotFound):
        open_store().delete(path(app))
    forget_steps(app)


def _steps(app: str) -> str:
    return os.path.join(paths.work(), app + ".steps")


def forget_steps(app: str) -> None:
    """No command is going on."""
    if open_store().shared:
        with contextlib.suppress(errors.NotFound):
            open_store().delete(step_path(app))
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_steps(app))


def die() -> None:
    """As if somebody had killed us: nothing of ours runs any more, no undoing either."""
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
