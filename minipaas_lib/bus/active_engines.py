"""The scheduler and the router in use, which plugins provide."""

import sys
import threading
from collections.abc import Callable

from minipaas_lib import errors
from minipaas_lib.bus import engines, manager
from minipaas_lib.bus.engines import Router, Scheduler
from minipaas_lib.model.route import Route

_engines: dict[str, object] = {}


def scheduler() -> Scheduler:
    """The engine that runs processes. Raises errors.BadConfig if no plugin provides one."""
    return _engine("scheduler")


def router() -> Router:
    """The engine that routes requests. Raises errors.BadConfig if no plugin provides one."""
    return _engine("router")


def preload() -> None:
    """Load the libraries of the engines in the background while the command waits for something else (a build)."""

    def warm() -> None:
        scheduler().warm()
        router().warm()

    _in_background(warm)


def check_route(route: Route | None = None) -> None:
    """Ask the router before anything is started. Raises what it would refuse the route with."""
    engines.check(router(), route)


def ask_router(route: Route) -> Callable[[], None]:
    """Start checking with the router whether it would accept the new route, in parallel to a question to the scheduler.

    Returns the function that waits for the answer and raises the router's refusal.
    """
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(1)
    answer = pool.submit(check_route, route)
    pool.shutdown(wait=False)
    return answer.result


def _in_background(load: Callable[[], None]) -> None:
    def quietly() -> None:
        try:
            load()
        except Exception:  # reported in full when the engine is used
            pass

    sys.setswitchinterval(
        0.0005
    )  # s; an import would keep the thread that waits for docker off the interpreter for 5 ms
    threading.Thread(target=quietly, daemon=True).start()


def _engine(hook: str):
    if hook in _engines:  # without the lock: a thread may be loading the other engine
        return _engines[hook]
    with _lock:
        if hook not in _engines:
            engine = manager.first(hook)
            if engine is None:
                raise errors.BadConfig(f"no plugin provides a {hook}", "plugin:list")
            _engines[hook] = engine
        return _engines[hook]


_lock = threading.RLock()


def forget() -> None:
    """Drop the engines and their connections; a forked child makes its own."""
    _engines.clear()
