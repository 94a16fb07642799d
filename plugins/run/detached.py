"""Detached one-off processes: list, show and end them."""

import os
import re
import threading
import time

from minipaas_lib import api


def all_of(app: str) -> list["api.Detached"]:
    """All of an app, after expired ones were removed."""
    scheduler = api.scheduler()
    scheduler.tidy(app)
    return scheduler.detached(app)


def named(app: str, name: str) -> "api.Detached":
    """The process called `blog.run.0001`, `run.0001` or `1`. Raises errors.NotFound."""
    found = api.scheduler().detached(app)
    for one in found:
        if name in (one.process.name, f"run.{one.process.index:04}", f"{one.process.index:04}", str(one.process.index)):
            return one
    there = " ".join(one.process.name for one in found)
    raise api.errors.NotFound(
        f"{app} has no one-off process {api.names.safe(name)}",
        f"one of: {there}" if there else f"run:detached {app} <command>",
    )


def row(one: "api.Detached") -> dict:
    """One line of run:list."""
    process = one.process
    return {
        "name": process.name,
        "state": process.state,
        "exit_code": process.exit_code if one.ended else "",
        "started": _seconds(process.started),
        "ended": _seconds(one.ended),
        "until": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.until)) if one.until else "",
        "release": f"v{process.release}",
        "command": one.command,
    }


def overdue(found: list["api.Detached"], now: float) -> list[str]:
    """The names of those that still run `now` (seconds since 1970), a minute after their time. Pure."""
    return [one.process.name for one in found if one.until and not one.ended and one.until + 60 < now]


def end_in_time(app: str, name: str, seconds: int) -> None:
    """Wait, then have the scheduler end what has expired. After a kill, the next command on the app does it."""
    deadline = time.time() + seconds
    while (left := deadline - time.time()) > 0:
        time.sleep(min(left, 30))
        if left > 30 and not any(one.process.name == name and not one.ended for one in api.scheduler().detached(app)):
            return
    time.sleep(1)  # the scheduler counts whole seconds
    api.scheduler().tidy(app)


def text(line: "api.LogLine", named: bool) -> str:
    """A line of output to print; nothing in it steers the reader's terminal."""
    said = api.output.tame(line.text)
    return f"{_seconds(line.time)} {line.process.process_type}.{line.process.index:04} | {said}" if named else said


def leave_with_reader() -> None:
    """End this command when stdout's reader is gone: a silent process would never let a write find out."""
    import select

    def watch() -> None:
        poll = select.poll()
        poll.register(1, 0)  # POLLERR and POLLHUP are always reported
        while not any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            time.sleep(1)
        os._exit(141)  # as SIGPIPE would

    threading.Thread(target=watch, daemon=True).start()


def _seconds(moment: str) -> str:
    """A time without its fraction of a second."""
    return re.sub(r"\.\d+", "", moment)
