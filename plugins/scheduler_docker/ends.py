"""How a container last ended, even if docker has started it again and no longer says so.

Docker keeps its last 256 events (moby, daemon/events) until it is restarted itself: what they do not tell is not known.
"""

import time

from plugins.scheduler_docker import client, detached

_BEFORE = 60  # seconds: a kill for want of memory is told of before the end that it leads to


def last(daemon: client.Daemon, answer: dict) -> tuple[int | None, bool]:
    """(exit code, whether memory ran out) of the last end of the container in `answer` (GET /containers/{id}/json).

    The code is None if nobody knows it, and where it has never ended. Raises errors.Unavailable.
    """
    state = answer["State"]
    if state["StartedAt"].startswith("0001-"):
        return None, False
    if state["Status"] not in ("running", "paused"):
        return state["ExitCode"], state["OOMKilled"]
    if state["FinishedAt"].startswith("0001-"):
        return None, False
    kinds = {"type": "container", "event": ["die", "oom"], "container": answer["Id"]}
    since = detached.seconds(state["FinishedAt"]) - _BEFORE
    with client.answering():
        events = list(daemon.connect().events(since=since, until=f"{time.time():.9f}", filters=kinds, decode=True))
    return of_events(events)


def of_events(events: list[dict]) -> tuple[int | None, bool]:
    """The same from docker's events of one container (GET /events), oldest first. Pure."""
    code, memory, out = None, False, False
    for event in events:
        if event["Action"] == "oom":
            memory = True
        elif event["Action"] == "die":
            said = event["Actor"]["Attributes"].get("exitCode", "")
            code, out, memory = (int(said) if said.isdecimal() else None), memory, False
    return code, out
