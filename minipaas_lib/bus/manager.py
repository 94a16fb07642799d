"""Calls hooks. Only the plugins that implement a hook are loaded, when it is first called.

With MINIPAAS_TRACE_HOOKS=1 in the environment every call is told on stderr: the hook, who answered what, how long.
"""

import importlib
import os
import threading

from minipaas_lib import errors, output
from minipaas_lib.bus import index

_callers: dict = {}
_loading = threading.RLock()  # engines are loaded, and processes checked, in threads beside the main one


def call(hook: str, **arguments) -> list:
    """Call a hook in every plugin that has it, by plugin name; the answers that are not None.

    What a plugin raises ends the call: errors.MinipaasError as it is, anything else as an error with its name.
    """
    if hook not in index.load().hooks:
        return []
    return _run(hook, arguments)


def first(hook: str, **arguments):
    """The first answer of a hook that is declared firstresult, or None."""
    if hook not in index.load().hooks:
        return None
    return _run(hook, arguments)


def notify(hook: str, **arguments) -> None:
    """Tell every plugin of something that has happened. What one raises is reported and stops nobody."""
    if hook not in index.load().hooks:
        return
    for implementation in reversed(_caller(hook).get_hookimpls()):
        try:
            implementation.function(*(arguments[name] for name in implementation.argnames))
        except Exception as error:
            output.warn(f"plugin {implementation.plugin_name}: {hook} failed: {describe(error)}")


def call_one(hook: str, plugin: str, **arguments):
    """The answer of one plugin to a hook, or None where it has not that hook. Raises as call does."""
    if plugin not in index.load().hooks.get(hook, ()):
        return None
    for implementation in _caller(hook).get_hookimpls():
        if implementation.plugin_name == plugin:
            return implementation.function(*(arguments[name] for name in implementation.argnames))
    return None


def describe(error: Exception) -> str:
    """One line about any error."""
    return error.message if isinstance(error, errors.MinipaasError) else f"{type(error).__name__}: {error}"


def forget() -> None:
    """Load plugins anew when they are next called, after the index has changed."""
    _callers.clear()


def reindex() -> None:
    """Write the index of the plugins from elsewhere, and go by it from now on. Raises OSError."""
    from minipaas_lib.bus import installed

    installed.write_index()
    index.forget()
    forget()


def _run(hook: str, arguments: dict):
    try:
        return _caller(hook)(**arguments)
    except (errors.MinipaasError, OSError):
        raise
    except Exception as error:
        error.add_note(f"in hook {hook}")
        raise


class _Only:
    """A namespace with one hook: a hook's plugins are registered all at once, so that they run in the order of their
    names whichever hook came first. pluggy finds what a plain object has by itself faster than what a module has."""

    def __init__(self, hook: str, function) -> None:
        setattr(self, hook, function)

    def __dir__(self) -> list[str]:
        return list(self.__dict__)


def _caller(hook: str):
    """The pluggy caller of a hook, with its plugins loaded."""
    with _loading:
        if hook not in _callers:
            import pluggy

            from minipaas_lib.bus import hookspecs

            manager = pluggy.PluginManager("minipaas")
            manager.add_hookspecs(_Only(hook, getattr(hookspecs, hook)))  # type: ignore[arg-type]  # any object does
            caller = getattr(manager.hook, hook)
            found = [(name, *_implementation(name, hook, caller.spec.argnames)) for name in index.load().hooks[hook]]
            # pluggy calls the last registered first, but of those that want to be last the first registered; so that
            # within each kind hooks run in the order of plugin names
            last = [entry for entry in found if getattr(entry[1], "minipaas_impl", {}).get("trylast")]
            for name, function, _ in [*last, *(entry for entry in reversed(found) if entry not in last)]:
                manager.register(_Only(hook, function), name)
            _prepare(caller, {name: argnames for name, _, argnames in found})
            _callers[hook] = caller
        return _callers[hook]


def _implementation(name: str, hook: str, argnames: tuple[str, ...]):
    """A plugin's function for a hook; for a plugin from elsewhere also the arguments it wants."""
    about = index.load().installed.get(name)
    if about is None:
        return getattr(importlib.import_module(f"plugins.{name}.hooks"), hook), None
    from minipaas_lib.bus import third_party

    return third_party.implementation(name, about, hook, argnames)


def _prepare(caller, wanted: dict[str, tuple[str, ...] | None]) -> None:
    """Give each implementation the arguments it wants, by plugin name, and tell of its calls where that is asked."""
    traced = os.environ.get("MINIPAAS_TRACE_HOOKS") == "1"
    for implementation in caller.get_hookimpls():
        argnames = wanted[implementation.plugin_name]
        if argnames is not None:
            implementation.argnames = argnames
        if traced:
            implementation.function = _told(implementation.plugin_name, caller.name, implementation.function)


def _told(name: str, hook: str, function):
    """`function`, telling of every call."""
    import time

    def run(*arguments):
        began, answer = time.perf_counter(), None
        try:
            answer = function(*arguments)
            said = "nothing" if answer is None else repr(answer)
        except BaseException as error:
            said = f"raised {type(error).__name__}"
            raise
        finally:
            took = (time.perf_counter() - began) * 1000
            output.info(f"hook {hook}: {name} answered {_short(hook, said)} in {took:.1f} ms")
        return answer

    return run


def _short(hook: str, said: str) -> str:
    """An answer for the trace; never the values of an environment, which may be secrets."""
    if hook in ("release_environment", "build_settings") and said.startswith("{"):
        return "variables"
    return said if len(said) <= 100 else said[:99] + "…"
