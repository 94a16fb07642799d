"""Which process is meant. Pure."""

import re

from minipaas_lib import api


def process_and_command(process: str | None, words: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """What to enter and what to run in it: a -- before the command is not part of it, even with no process named."""
    if process == "--":
        return None, words
    return process, words[1:] if words[:1] == ("--",) else words


def choose(text: str | None, processes: list["api.Process"], app: str) -> "api.Process":
    """The running process that `web.2` or `web` names; without a text the first web process, else the first of any.

    Raises errors.NotFound, errors.UsageError.
    """
    running = sorted(
        (process for process in processes if process.state == "running"),
        key=lambda process: (process.process_type != "web", process.process_type, process.index, -process.release),
    )
    if not running:
        raise api.errors.NotFound(f"no process of {app} is running", f"ps:start {app}")
    if text is None:
        return running[0]
    found = re.fullmatch(rf"({api.names.PROCESS_TYPE})(?:\.([0-9]{{1,4}}))?", text)
    if not found:
        raise api.errors.UsageError(f"{api.names.safe(text)} is not a process", "give one such as: web.1")
    index = int(found[2]) if found[2] else None
    for process in running:
        if process.process_type == found[1] and index in (None, process.index):
            return process
    present = " ".join(dict.fromkeys(f"{process.process_type}.{process.index}" for process in running))
    raise api.errors.NotFound(f"{app} has no running process {text}", f"one of: {present}")
