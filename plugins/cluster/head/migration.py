"""Move apps between this host and the nodes, each as an ordinary restart: the new processes serve before the old go."""

import contextlib
import time

from minipaas_lib import api

PATIENCE = 60.0  # seconds for a command that is changing an app
DRAINED = 900.0  # seconds until all old processes must have gone


@contextlib.contextmanager
def all_locked():
    """Hold the lock of every app. Raises errors.Locked with the one that somebody else is changing."""
    with contextlib.ExitStack() as held:
        for name in api.app_names():
            held.enter_context(api.kernel.bare_lock(name, PATIENCE))
        yield


def move(name: str, reason: str, is_left) -> None:
    """Replace the processes of an app if any that counts `is_left` where it was; else only route to it anew.

    Raises errors.MinipaasError; the app then runs as it did before.
    """
    if api.live_release(name) is None:
        api.kernel.reroute(name)  # its domains are its own
        return
    retiring = api.kernel.retiring(name)
    left = [process for process in api.scheduler().processes(name) if is_left(process) and process.name not in retiring]
    if api.app(name).stopped or not left:
        api.kernel.reroute(name)
        return
    api.output.step(f"Moving {name}")
    api.change(name, reason, force=True)


def wait_until_gone(is_old, what: str) -> None:
    """Until no process `is_old` any more and nothing is to go: they finish their requests first.

    Raises errors.Unavailable.
    """
    end = time.monotonic() + DRAINED
    api.kernel.recover_all()  # whoever was to let them go may have been killed
    announced = False
    while old := _going(is_old):
        if not announced:
            api.output.step(f"Waiting for {what} to finish their requests")
            announced = True
        if time.monotonic() > end:
            raise api.errors.Unavailable(
                f"{', '.join(old[:3])} did not stop within {DRAINED:.0f} seconds", "repeat the command"
            )
        time.sleep(1)


def _going(is_old) -> list[str]:
    """The names of old processes; a unit that is gone may still be stopping, so what is noted to go counts too."""
    going = {process.name for process in api.scheduler().processes() if is_old(process)}
    return sorted(going.union(*(api.kernel.retiring(name) for name in api.app_names())))
