"""Call hooks. Only the plugins that implement a hook are loaded, when it is first called.

With MINIPAAS_TRACE_HOOKS=1 in the environment every call is traced on stderr: hook, plugin, answer and duration.
"""

import importlib
import os
import threading

from minipaas_lib import errors, output
from minipaas_lib.bus import index

_callers: dict = {}
_loading = threading.RLock()  # engines are loaded, and processes checked, in other threads too


def call(hook: str, **arguments) -> list:
    """Call a hook in every plugin that has it, in the order of their names; return the answers that are not None.

    The first exception ends the call: errors.MinipaasError as it is, anything else as an error with the plugin's name.
    """
    if hook not in index.load().hooks:
        return []
    return _run(hook, arguments)


def first(hook: str, **arguments):
    """The first answer to a hook that is declared firstresult, or None."""
    if hook not in index.load().hooks:
        return None
    return _run(hook, arguments)


def notify(hook: str, **arguments) -> None:
    """Notify every plugin of an event. An exception is reported and does not stop the others."""
    if hook not in index.load().hooks:
        return
    for implementation in reversed(_caller(hook).get_hookimpls()):
        try:
            implementation.function(*(arguments[name] for name in implementation.argnames))
        except Exception as error:
            output.warn(f"plugin {implementation.plugin_name}: {hook} failed: {describe(error)}")


def call_one(hook: str, plugin: str, **arguments):
    """The answer of one plugin to a hook, or None if it does not implement it. Raises as call does."""
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
    """Reload plugins when they are next called, after the index has changed."""
    _callers.clear()


def reindex() -> None:
    """Write the index of third-party plugins, and use it from now on. Raises OSError."""
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
    """A namespace with one hook: a hook's plugins are registered together, so that they run in the order of their
    names whichever hook came first. pluggy inspects a plain object faster than a module."""

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
            implementations = [
                (name, *_implementation(name, hook, caller.spec.argnames)) for name in index.load().hooks[hook]
            ]
            # pluggy calls the last registered first, but of the trylast ones the first registered: register them so
            # that each group runs in the order of plugin names
            last = [entry for entry in implementations if getattr(entry[1], "minipaas_impl", {}).get("trylast")]
            for name, function, _ in [*last, *(entry for entry in reversed(implementations) if entry not in last)]:
                manager.register(_Only(hook, function), name)
            _prepare(caller, {name: argnames for name, _, argnames in implementations})
            _callers[hook] = caller
        return _callers[hook]


def _implementation(name: str, hook: str, argnames: tuple[str, ...]):
    """A plugin's function for a hook; for a third-party plugin also the arguments that it takes."""
    manifest = index.load().installed.get(name)
    if manifest is None:
        return getattr(importlib.import_module(f"plugins.{name}.hooks"), hook), None
    from minipaas_lib.bus import third_party

    return third_party.implementation(name, manifest, hook, argnames)


def _prepare(caller, arguments: dict[str, tuple[str, ...] | None]) -> None:
    """Set the arguments that each implementation takes, by plugin name, and trace its calls if that is enabled."""
    traced = os.environ.get("MINIPAAS_TRACE_HOOKS") == "1"
    for implementation in caller.get_hookimpls():
        argnames = arguments[implementation.plugin_name]
        if argnames is not None:
            implementation.argnames = argnames
        if traced:
            implementation.function = _traced(implementation.plugin_name, caller.name, implementation.function)


def _traced(name: str, hook: str, function):
    """`function`, with a line of output for every call."""
    import time

    def traced(*arguments):
        began, answer = time.perf_counter(), None
        try:
            answer = function(*arguments)
            shown = "nothing" if answer is None else repr(answer)
        except BaseException as error:
            shown = f"raised {type(error).__name__}"
            raise
        finally:
            took = (time.perf_counter() - began) * 1000
            output.info(f"hook {hook}: {name} answered {_short(hook, shown)} in {took:.1f} ms")
        return answer

    return traced


def _short(hook: str, answer: str) -> str:
    """An answer for the trace; never the values of an environment, which may be secrets."""
    if hook in ("release_environment", "build_settings") and answer.startswith("{"):
        return "variables"
    return answer if len(answer) <= 100 else answer[:99] + "…"
