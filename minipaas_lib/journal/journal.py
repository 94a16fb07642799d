"""What is needed to finish or undo a command in progress, and each of its steps, written before it is taken.

The record is a document of the store, written durably before anything is done. The steps are lines of a file beside
it: they say how far a killed command got, but recovery goes by the actual state, not by them, so they need not survive
a power cut and cost a deploy next to nothing. If other hosts share the store, one of them may have to take over, so
there the last step is a document too.
"""

import contextlib
import os
import threading

from minipaas_lib import caller, errors, output, paths
from minipaas_lib.journal import held
from minipaas_lib.model.app import App
from minipaas_lib.records import apps
from minipaas_lib.store import documents, layout, merge, open_store

_writing_step = threading.Lock()  # processes that start in parallel have a step each


def begin(app: str, operation: str, **details) -> None:
    """Record that a command begins to change the app; `operation` and `details` are what recovery needs to know."""
    os.makedirs(paths.work(), mode=0o700, exist_ok=True)
    forget_steps(app)
    record = {"operation": operation, "key": caller.key(), "began": apps.now(), **details}
    documents.write(open_store(), layout.journal(app), record)


def add(app: str, **details) -> None:
    """Add details to the record of the command in progress; does nothing if there is none."""
    if record := read(app):
        documents.write(open_store(), layout.journal(app), record | details)


def read(app: str) -> dict:
    """The record of a command that was neither finished nor undone; empty if there is none."""
    try:
        return documents.read(open_store(), layout.journal(app))
    except errors.NotFound:
        return {}


def note_failure(app: str, error: BaseException) -> None:
    """Record the error that a command ends with, so that what it leaves undone is not blamed on a kill."""
    with contextlib.suppress(Exception):  # it only improves a message
        add(app, failed=errors.words(error))


@contextlib.contextmanager
def step(app: str, action: str):
    """Note that `action` is about to be done; the body of the context does it. Ends the process if a lock was lost."""
    _check_locks()
    with _writing_step:
        _note(app, action)
    yield


def _note(app: str, action: str) -> None:
    if open_store().shared:
        open_store().write(layout.step(app), f"{action}\n")
        return
    file = os.open(_steps(app), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(file, f"{action}\n".encode())
    finally:
        os.close(file)


def _check_locks() -> None:
    """Kill this process if it has lost a lock, as another host may already have taken over."""
    try:
        for lock in held.locks:
            lock.check()
    except errors.Unavailable as error:
        output.warn(error.message)
        output.hint(error.hint)
        die()


def last_step(app: str) -> str:
    """The step at which the app's command was killed; empty if unknown."""
    if open_store().shared:
        with contextlib.suppress(errors.NotFound):
            return open_store().read(layout.step(app)).text.rstrip("\n")
        return ""
    try:
        with open(_steps(app), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def keep_document(app: App) -> None:
    """Keep the app's present document, if it differs from that of `app`, which is about to be written."""
    former = open_store().read(layout.app(app.name)).text
    if apps.load(app.name).document != app.document:
        documents.write(
            open_store(), layout.journal(app.name), read(app.name) | {"former": former, "wanted": app.document}
        )


def undo(app: str) -> None:
    """Restore the app's former document if it was changed, and end. Changes that others have made since stay."""
    record = read(app)
    if "former" in record:
        _put_back(layout.app(app), record["former"], record["wanted"])
    end(app)


def _put_back(document_path: str, former: str, target: dict) -> None:
    """Undo the change from `former` to `target` in the document, if it was made."""
    import tomllib

    store = open_store()
    present, before = store.read(document_path), tomllib.loads(former)
    try:
        if tomllib.loads(present.text) == target:
            if target != before:
                store.write(document_path, former, present.revision)
            return
    except errors.Conflict:
        pass
    documents.edit(store, document_path, lambda document: merge.apply_difference(document, target, before))


def end(app: str) -> None:
    """Remove the record and the steps: the command is over."""
    with contextlib.suppress(errors.NotFound):
        open_store().delete(layout.journal(app))
    forget_steps(app)


def _steps(app: str) -> str:
    return os.path.join(paths.work(), app + ".steps")


def forget_steps(app: str) -> None:
    """Remove the steps."""
    if open_store().shared:
        with contextlib.suppress(errors.NotFound):
            open_store().delete(layout.step(app))
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_steps(app))


def die() -> None:
    """Kill this process with SIGKILL, so that nothing of it runs any more, no cleanup either."""
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
