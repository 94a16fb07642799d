"""Removes containers of processes that the cluster is not to run any more: the engine stops them and leaves them."""

from collections.abc import Callable

from plugins.cluster.engine import LocalScheduler

GRACE = 30.0  # seconds that a container may be without a unit: it may be about to be made, or just being stopped


class Collector:
    """`wanted` says the names of all processes that the cluster is to run."""

    def __init__(self, scheduler: LocalScheduler, wanted: Callable[[], set[str]], clock: Callable[[], float]) -> None:
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
        processes = {process.name: process for process in self._scheduler.processes()} if overdue else {}
        removed = [name for name in overdue if name in processes]
        for name in removed:
            self._scheduler.stop(processes[name])
        return removed
