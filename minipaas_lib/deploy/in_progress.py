"""Builds and deploys in progress: find them, and cancel them from another process."""

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
    """A release that is being built or deployed."""

    app: str
    number: int  # of the release
    holder: LockHolder  # the process that makes it
    commit: str = ""
    builder: str = ""  # empty before it is chosen, and if nothing is built
    reason: str = ""
    key: str = ""  # the SSH key's name, or "root"
    began: str = ""  # UTC, ISO 8601
    step: str = ""
    building: bool = True  # whether the image is being built; else the deploy is past that


def find(name: str) -> Underway | None:
    """The app's release that a live process is making: one that holds the app's lock and has begun a rollout."""
    holder = locks.held_by(name)
    record = journal.read(name) if holder else {}
    if holder is None or record.get("operation") != "rollout" or record.get("began", "") < holder.since:
        return None  # an older record is of a dead process, and the holder recovers from that first
    number = record["release"]
    known = {key: record[key] for key in ("commit", "builder", "reason", "key", "began") if key in record}
    building = number not in releases.numbers(name)
    return Underway(name, number, holder, step=journal.last_step(name), building=building, **known)


def cancel(underway: Underway, patience: float = 60.0) -> None:
    """Cancel a deploy as a hang-up of its client does, and wait at most `patience` seconds for its end.

    Raises errors.UsageError if it is over or can no longer be cancelled, errors.Unavailable if it runs on another
    host or does not end.
    """
    holder, label = underway.holder, f"v{underway.number} of {underway.app}"
    if holder.host != caller.host():
        raise errors.Unavailable(
            f"{label} is being deployed by the host {holder.host}",
            f"on that host: minipaas builds:cancel {underway.app}",
        )
    with contextlib.suppress(ProcessLookupError), _handle(holder.pid) as process:
        # Check again: if the holder is still the same, the descriptor is of that process, and not of another one that
        # got its pid since.
        again = find(underway.app)
        if again is None or (again.holder, again.number) != (holder, underway.number):
            raise _over(underway)
        if not _stoppable(holder.pid):
            raise errors.UsageError(
                f"it is too late to cancel {label}: it is going live, or already ending",
                f"releases {underway.app}",
            )
        signal.pidfd_send_signal(process, signal.SIGHUP)
        if not _ended(underway, process, patience):
            raise errors.Unavailable(
                f"{label} was told to stop and has not ended after {patience:g} seconds", f"apps:report {underway.app}"
            )
        return
    raise _over(underway)


def _over(underway: Underway) -> errors.UsageError:
    return errors.UsageError(
        f"v{underway.number} of {underway.app} is no longer being deployed", f"releases {underway.app}"
    )


@contextlib.contextmanager
def _handle(pid: int):
    """A pidfd, which stays with this process even if its pid is reused. Raises ProcessLookupError, errors.Denied."""
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
    """Whether the process handles SIGHUP (proc(5), SigCgt): see cancellation.cancellable and no_way_back."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            caught = next((line.split()[1] for line in file if line.startswith("SigCgt:")), "0")
    except OSError:
        return False
    return bool(int(caught, 16) >> (signal.SIGHUP - 1) & 1)


def _ended(underway: Underway, process: int, patience: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)  # readable once it has ended (pidfd_open(2))
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if poll.poll(_LOOK_AGAIN * 1000):
            return True
        present = find(underway.app)
        if present is None or present.number != underway.number:
            return True
    return False
