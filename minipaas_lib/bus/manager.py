"""Calls hooks. Only the plugins that implement a hook are loaded, when it is first called."""

import importlib
import threading

from minipaas_lib import errors, output
from minipaas_lib.bus import index

_manager = None
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
            implementation.function(**{name: arguments[name] for name in implementation.argnames})
        except Exception as error:
            output.warn(f"plugin {implementation.plugin_name}: {hook} failed: {describe(error)}")


def describe(error: Exception) -> str:
    """One line about any error."""
    return error.message if isinstance(error, errors.MinipaasError) else f"{type(error).__name__}: {error}"


def _run(hook: str, arguments: dict):
    try:
        return _caller(hook)(**arguments)
    except (errors.MinipaasError, OSError):
        raise
    except Exception as error:
        error.add_note(f"in hook {hook}")
        raise


def _caller(hook: str):
    """The pluggy caller of a hook, with its plugins loaded."""
    global _manager
    with _loading:
        if _manager is None:
            import pluggy

            from minipaas_lib.bus import hookspecs

            manager = pluggy.PluginManager("minipaas")
            manager.add_hookspecs(hookspecs)
            _manager = manager
        # pluggy calls the last registered first; reversed, hooks run in the order of plugin names
        for name in reversed(index.load().hooks[hook]):
            if not _manager.has_plugin(name):
                _manager.register(importlib.import_module(f"plugins.{name}.hooks"), name)
        return getattr(_manager.hook, hook)
