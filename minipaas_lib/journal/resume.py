"""Which function finishes or undoes a killed command: a table by the operation in the journal.

Functions are given by name and imported when needed, since they are in rooms above this one: taking a lock must not
import all that a rollout needs. A test checks that each name is a function, and that each operation has one.
"""

import importlib
from collections.abc import Callable

from minipaas_lib.journal import journal

RESUMERS = {
    "rollout": "apps.recovery:rollout_of",
    "create by push": "apps.recovery:uncreate",
    "stop": "apps.recovery:stop",
    "restore": "apps.recovery:restored",
    "destroy": "apps.recovery:destroy",
    "return": "apps.recovery:finish_app_restore",
    "fall back": "deploy.auto_rollback:resume",
    "rename": "apps.rename:resume",
    "rename away": "apps.rename:resume_source",
    "clone": "apps.clone:resume",
}
"""Operation -> module and function, called with the app's name and the journal's record."""

TIDY = "apps.recovery:tidy"
"""Called with the app's name after each of them, and if nothing was killed."""


def recover(name: str) -> bool:
    """Finish or undo a killed command; return whether there was one. The caller holds the app's lock.

    It goes by the actual state, so it can itself be killed and run again.
    """
    record = journal.read(name)
    if record:
        function(RESUMERS[record.get("operation", "rollout")])(name, record)
    else:
        journal.forget_steps(name)  # it was killed after its very last step
    function(TIDY)(name)
    return bool(record)


def function(where: str) -> Callable:
    """The function that an entry of the table refers to."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(f"minipaas_lib.{module}"), name)
