"""Remove the containers of processes that nobody wants any more: fleet stops them, and leaves them lying about."""

from collections.abc import Callable

GRACE = 30.0  # seconds that a container may be without a unit: it may be about to be made, or just being stopped


class Sweeper:
    """`wanted` says the names of all processes that the cluster is to run."""

    def __init__(self, scheduler, wanted: Callable[[], set[str]], clock: Callable[[], float]) -> None:
        self._scheduler, self._wanted, self._clock = scheduler, wanted, clock
        self._since: dict[str, float] = {}  # name -> when it was first seen without a unit

    def look(self) -> list[str]:
        """Remove what has been unwanted for GRACE seconds; the names.

        Raises errors.Unavailable: then nothing is removed.
        """
        wanted = self._wanted()
        stray = self._scheduler.names() - wanted
        self._since = {name: self._since.get(name, self._clock()) for name in sorted(stray)}
        overdue = [name for name, since in self._since.items() if self._clock() - since >= GRACE]
        found = {process.name: process for process in self._scheduler.processes()} if overdue else {}
        removed = [name for name in overdue if name in found]
        for name in removed:
            self._scheduler.stop(found[name])
        return removed
