"""The scheduler and the router that plugins offer."""

import sys
import threading
from collections.abc import Callable

from minipaas_lib import errors
from minipaas_lib.bus import manager
from minipaas_lib.bus.engines import Router, Scheduler
from minipaas_lib.model.route import Route

_engines: dict[str, object] = {}


def scheduler() -> Scheduler:
    """The engine that runs processes. Raises errors.BadConfig when no plugin offers one."""
    return _engine("scheduler")


def router() -> Router:
    """The engine that routes requests. Raises errors.BadConfig when no plugin offers one."""
    return _engine("router")


def preload() -> None:
    """Load the libraries of the engines while something else (a build) keeps the command waiting."""

    def warm() -> None:
        scheduler().warm()
        router().warm()

    _beside(warm)


def check_route(route: Route | None = None) -> None:
    """Ask the router before anything is started. One that is of a plugin made before it could be asked, agrees."""
    check = getattr(router(), "check", None)
    if check:
        check(route)


def ask_router(route: Route) -> Callable[[], None]:
    """Begin to ask the router whether it would take the route to come, while the scheduler is asked what runs.

    Returns the function that waits for the answer, and raises it where it is no.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    asked = pool.submit(check_route, route)
    pool.shutdown(wait=False)
    return asked.result


def _beside(load: Callable[[], None]) -> None:
    def quietly() -> None:
        try:
            load()
        except Exception:  # said in full when the engine is really asked for
            pass

    sys.setswitchinterval(
        0.0005
    )  # s; an import would keep the thread that waits for docker off the interpreter for 5 ms
    threading.Thread(target=quietly, daemon=True).start()


def _engine(kind: str):
    if kind in _engines:  # not behind the lock: a thread may be loading the other engine
        return _engines[kind]
    with _lock:
        if kind not in _engines:
            engine = manager.first(kind)
            if engine is None:
                raise errors.BadConfig(f"no plugin provides a {kind}", "plugin:list")
            _engines[kind] = engine
        return _engines[kind]


_lock = threading.RLock()


def forget() -> None:
    """Drop the engines and their connections; a forked child makes its own."""
    _engines.clear()
