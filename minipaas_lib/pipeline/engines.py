"""The scheduler and the router that plugins offer."""

import threading

from minipaas_lib import errors
from minipaas_lib.bus import manager
from minipaas_lib.bus.engines import Router, Scheduler

_engines: dict[str, object] = {}


def scheduler() -> Scheduler:
    """The engine that runs processes. Raises errors.BadConfig when no plugin offers one."""
    return _engine("scheduler")


def router() -> Router:
    """The engine that routes requests. Raises errors.BadConfig when no plugin offers one."""
    return _engine("router")


def preload() -> None:
    """Load the libraries of the engines while something else (a build) keeps the command waiting."""

    def load() -> None:
        try:
            scheduler()
            router().warm()
        except Exception:  # noqa: S110 - said in full when the engine is really asked for
            pass

    threading.Thread(target=load, daemon=True).start()


def _engine(kind: str):
    with _lock:
        if kind not in _engines:
            engine = manager.first(kind)
            if engine is None:
                raise errors.BadConfig(f"no plugin offers a {kind}", "plugin:list")
            _engines[kind] = engine
        return _engines[kind]


_lock = threading.RLock()


def forget() -> None:
    """Drop the engines and their connections; a forked child makes its own."""
    _engines.clear()
