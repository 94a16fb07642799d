"""One look at fleet per interval, whoever waits and for however many processes."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from minipaas_lib import api

INTERVAL = 1.0  # seconds: fleet's agents publish states once a second

Found = TypeVar("Found")


class View(NamedTuple):
    """What fleet said at one moment."""

    states: dict  # unit name -> list of client.State, one per machine that has it
    taken: float  # the clock's seconds when it was asked

    def of(self, name: str) -> list:
        """The states of one unit; none while no machine has it."""
        return self.states.get(name, [])


class Poller:
    """Reads all states with `read` (such as Fleet.states), at most once in `interval` seconds.

    Safe for threads: those that come while one of them reads get what that one reads.
    """

    def __init__(
        self,
        read: Callable[[], list],
        interval: float = INTERVAL,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._read, self._interval, self._clock, self._sleep = read, interval, clock, sleep
        self._lock = threading.Lock()
        self._view: View | None = None

    def look(self, since: float | None = None) -> View:
        """The last view if it is younger than the interval, else a new one.

        With `since` (the clock's seconds) never one asked for before then: for who has just changed something. Raises
        errors.Unavailable as `read` does; the next look asks again.
        """
        with self._lock:
            view = self._view
            if view and self._clock() - view.taken < self._interval and (since is None or view.taken >= since):
                return view
            taken = self._clock()
            states: dict = {}
            for state in self._read():
                states.setdefault(state.name, []).append(state)
            self._view = View(states, taken)
            return self._view

    def wait(self, condition: Callable[[View], Found | None], timeout: float, what: str, patient: bool = True) -> Found:
        """Look until `found(view)` is true, and return that.

        `patient`: a fleet that is away for a while (a restart, an election of etcd) is waited for. Raises
        errors.DeployFailed with `what` ("blog_v3.web.1 to start") after `timeout` seconds, or errors.Unavailable when
        fleet is away then.
        """
        end = self._clock() + timeout
        while True:
            away = None
            try:
                result = condition(self.look())
                if result:
                    return result
            except api.errors.Unavailable as error:
                if not patient:
                    raise
                away = error
            left = end - self._clock()
            if left <= 0:
                raise away or api.errors.DeployFailed(f"waited {timeout:.0f} seconds for {what}")
            self._sleep(min(self._interval, left))
