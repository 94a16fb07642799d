"""Who finishes or undoes a command that was killed: a table by the operation that the journal names.

Functions are named and imported when they are needed, since they stand on floors above this one: taking a lock must not
import all that a rollout needs. A test checks that each name leads to a function, and that each operation has one.
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
    "rename away": "apps.rename:resume_there",
    "clone": "apps.clone:resume",
}
"""Operation -> module and function, called with the app's name and the journal's record."""

TIDY = "apps.recovery:tidy"
"""Called with the app's name after each, and where nothing was killed."""


def recover(name: str) -> bool:
    """Put right what a process did not live to end; whether there was something. The caller holds the app's lock.

    It goes by what is there, so it may be killed and run again itself.
    """
    record = journal.read(name)
    if record:
        function(RESUMERS[record.get("operation", "rollout")])(name, record)
    else:
        journal.forget_steps(name)  # killed after its very last one
    function(TIDY)(name)
    return bool(record)


def function(where: str) -> Callable:
    """The function that an entry of the table names."""
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(f"minipaas_lib.{module}"), name)
