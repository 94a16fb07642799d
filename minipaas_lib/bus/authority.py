"""May the caller do that? Calls the `authorize` hooks."""

import os

from minipaas_lib import caller, errors
from minipaas_lib.bus import index


def is_asked(command: str) -> bool:
    """Whether plugins are asked for permission for a command or a verb of git's."""
    known = index.load()
    # A plugin's authorize program may use commands itself; the variable cannot be set over ssh.
    if "authorize" not in known.hooks or os.environ.get("MINIPAAS_HOOK") == "authorize":
        return False
    entry = known.commands.get(command)
    return entry is None or not entry.unasked


def require(command: str, app: str = "") -> None:
    """Let the plugins refuse a command on an app ("" for one without an app). Raises what they refuse with."""
    if is_asked(command):
        from minipaas_lib.bus import manager

        manager.call("authorize", key=caller.key(), command=command, app=app)


def allows(command: str, app: str) -> bool:
    """Whether no plugin refuses that: for names that a message would reveal."""
    try:
        require(command, app)
    except (errors.MinipaasError, OSError):
        return False
    return True
