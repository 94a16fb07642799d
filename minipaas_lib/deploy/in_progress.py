"""What is being built or deployed at this moment, by which process, and how to stop it from outside."""

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass

from minipaas_lib import caller, errors
from minipaas_lib.journal import journal, locks
from minipaas_lib.records import releases
from minipaas_lib.store.contract import LockHolder

_LOOK_AGAIN = 0.1  # seconds


@dataclass(frozen=True)
class Underway:
    """A release in the making."""

    app: str
    number: int  # of the release
    holder: LockHolder  # the process that makes it
    commit: str = ""
    builder: str = ""  # empty before it is chosen, and where nothing is built
    reason: str = ""
    key: str = ""  # the SSH key's name, or "root"
    began: str = ""  # UTC, ISO 8601
    step: str = ""
    building: bool = True  # the image; else what comes after it


def find(name: str) -> Underway | None:
    """The release of the app that a living process makes now: it holds the app's lock and has begun a rollout."""
    holder = locks.held_by(name)
    record = journal.read(name) if holder else {}
    if holder is None or record.get("operation") != "rollout" or record.get("began", "") < holder.since:
        return None  # an older record is a dead process's, which the holder puts right first
    number = record["release"]
    known = {key: record[key] for key in ("commit", "builder", "reason", "key", "began") if key in record}
    building = number not in releases.numbers(name)
    return Underway(name, number, holder, step=journal.last_step(name), building=building, **known)


def cancel(found: Underway, patience: float = 60.0) -> None:
    """Stop the making of a release as a hang-up of its client does, and wait for its end, `patience` seconds at most.

    Raises errors.UsageError when it is over or past the point where it can be stopped, errors.Unavailable when it runs
    on another host or does not end.
    """
    holder, what = found.holder, f"v{found.number} of {found.app}"
    if holder.host != caller.host():
        raise errors.Unavailable(
            f"{what} is being deployed by the host {holder.host}", f"on that host: minipaas builds:cancel {found.app}"
        )
    with contextlib.suppress(ProcessLookupError), _handle(holder.pid) as process:
        # The lock is asked again: who has held it since before we got hold of the process is that process, and no
        # other that was given its number since.
        again = find(found.app)
        if again is None or (again.holder, again.number) != (holder, found.number):
            raise _over(found)
        if not _stoppable(holder.pid):
            raise errors.UsageError(
                f"it is too late to cancel {what}: it is going live, or already ending",
                f"releases {found.app}",
            )
        signal.pidfd_send_signal(process, signal.SIGHUP)
        if not _ended(found, process, patience):
            raise errors.Unavailable(
                f"{what} was told to stop and has not ended after {patience:g} seconds", f"apps:report {found.app}"
            )
        return
    raise _over(found)


def _over(found: Underway) -> errors.UsageError:
    return errors.UsageError(f"v{found.number} of {found.app} is no longer being deployed", f"releases {found.app}")


@contextlib.contextmanager
def _handle(pid: int):
    """A descriptor that means this very process, whatever becomes of its number.

    Raises ProcessLookupError, errors.Denied.
    """
    process = os.pidfd_open(pid)
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            raise errors.Denied("the deploy belongs to a process of another user", "repeat the command as root")
        yield process
    except FileNotFoundError:
        raise ProcessLookupError from None
    finally:
        os.close(process)


def _stoppable(pid: int) -> bool:
    """Whether the process has a handler for a hang-up (proc(5), SigCgt): see interrupt.cancellable and no_way_back."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            caught = next((line.split()[1] for line in file if line.startswith("SigCgt:")), "0")
    except OSError:
        return False
    return bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)


def _ended(found: Underway, process: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)  # readable once it has ended (pidfd_open(2))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if poll.poll(_LOOK_AGAIN * 1000):
            return True
        present = find(found.app)
        if present is None or present.number != found.number:
            return True
    return False
