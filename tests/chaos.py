"""Engines and a store of which any call can fail, or be the last of its process, before or after it takes effect."""

import concurrent.futures
import functools
import random

from minipaas_lib import errors
from tests.fakes import FakeRouter, FakeScheduler

FAIL, KILL = "fail", "kill"


class Killed(BaseException):
    """kill -9: nothing of ours runs any more, no undoing either."""


class Weather:
    """Says what each call meets. A call has two moments, before and after its effect; both are counted."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """From now on all is well, and whoever calls is a new process."""
        self.moment, self.dead = 0, False
        self.strikes: dict[int, str] = {}
        self.rate, self.dice = 0.0, random.Random(0)
        self.met: list[str] = []

    def brew(self, strikes: dict[int, str], rate: float = 0.0, seed: int = 0) -> None:
        """What the calls of the next process meet: `strikes` at counted moments, and failures at a given rate."""
        self.clear()
        self.strikes, self.rate, self.dice = dict(strikes), rate, random.Random(seed)

    def pass_by(self, what: str, error: Exception) -> None:
        """One moment of a call; raises `error`, or Killed."""
        self.alive()
        self.moment += 1
        strike = self.strikes.get(self.moment) or (FAIL if self.rate and self.dice.random() < self.rate else None)
        if strike is None:
            return
        self.met.append(f"{strike} {what}")
        if strike == KILL:
            self.dead = True
            raise Killed
        raise error

    def alive(self) -> None:
        """Raise Killed where the process is dead: whatever it would still do does not happen."""
        if self.dead:
            raise Killed

    def exposed(self, what: str, function, error: Exception, after: bool = True):
        """The function, under this weather. `after`: whether it can fail when its effect is there already."""

        @functools.wraps(function)
        def call(*arguments, **named):
            self.pass_by(f"before {what}", error)
            result = function(*arguments, **named)
            if after:
                self.pass_by(f"after {what}", error)
            elif self.strikes.get(self.moment + 1) == KILL:
                self.pass_by(f"after {what}", error)
            else:
                self.moment += 1
            return result

        return call

    def doomed(self, function):
        """The function, which only a dead process cannot call."""

        @functools.wraps(function)
        def call(*arguments, **named):
            self.alive()
            return function(*arguments, **named)

        return call


class ChaosScheduler(FakeScheduler):
    """What the contract lets a scheduler do. A start that is refused leaves nothing."""

    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self._weather, gone = weather, errors.Unavailable("docker does not answer")
        self.start = weather.exposed("start", self.start, gone)
        self.stop = weather.exposed("stop", self.stop, gone)
        self.processes = weather.exposed("processes", self.processes, gone, after=False)
        self.refresh = weather.doomed(self.refresh)  # not counted: how often it is called depends on the time

    def _call(self, method: str, what: str) -> None:
        super()._call(method, what)
        if method in ("adopt", "disown"):  # these take several: some may be done when it ends
            self._weather.pass_by(f"{method} {what}", errors.Unavailable("docker does not answer"))

    def reboot(self) -> None:
        """What docker brings back is what was adopted; the rest stays as it fell."""
        for name, process in self.containers.items():
            self.set(name, state="running" if process.adopted else "exited", exit_code=0 if process.adopted else 137)


class ChaosRouter(FakeRouter):
    """An apply that raises has left the former route, so it fails only before; a kill can come after."""

    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self.apply = weather.exposed("apply", self.apply, errors.Unavailable("nginx does not answer"), after=False)
        self.check = weather.exposed("check", self.check, errors.Unavailable("nginx does not answer"), after=False)
        self.remove = weather.exposed("remove", self.remove, errors.Unavailable("nginx does not answer"), after=False)


def expose_store(store, weather: Weather, monkeypatch) -> None:
    """Let the writes of a store fail (a full disk), and no dead process read or write it."""
    full = errors.Unavailable("cannot write: no space left on device")
    for method in ("write", "delete", "delete_tree"):
        monkeypatch.setattr(store, method, weather.exposed(method, getattr(store, method), full, after=False))
    for method in ("read", "exists", "children", "list", "lock"):
        monkeypatch.setattr(store, method, weather.doomed(getattr(store, method)))


class InTurn(concurrent.futures.Executor):
    """Runs what is submitted at once, in the caller's thread, up to the first failure: the same calls in every run."""

    def __init__(self, *arguments, **named) -> None:
        self._failure: BaseException | None = None

    def submit(self, function, *arguments, **named):
        future = concurrent.futures.Future()
        if self._failure:  # what has not begun fails with what has ended all
            future.set_exception(self._failure)
            return future
        try:
            future.set_result(function(*arguments, **named))
        except BaseException as error:
            self._failure = error
            future.set_exception(error)
        return future
