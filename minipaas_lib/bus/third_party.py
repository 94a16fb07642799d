"""Third-party plugins: load them, and attribute their errors to them.

Imported only by a command that calls a hook or a command of such a plugin.
"""

import importlib
import inspect
import os
import sys
import types

from minipaas_lib import errors, paths
from minipaas_lib.bus import values

PACKAGE = "minipaas_plugins"


def implementation(name: str, manifest: dict, hook: str, argnames: tuple[str, ...]):
    """A function for pluggy that runs the plugin's hook, and the arguments that it takes.

    For a plugin that cannot be loaded the function raises that: the call fails, with the plugin's name.
    """
    if hook in manifest.get("executables", {}).get("hooks", ()):
        return _executable(name, manifest, hook, argnames)
    try:
        hook_function = getattr(importlib_module(name, "hooks"), hook)
        problem = signature_problem(hook_function, hook, argnames)
        if problem:
            raise errors.BadConfig(problem)
    except (Exception, SystemExit) as error:  # whatever a third-party module does when it is imported
        return _failing(_named(name, hook, error, "cannot be loaded for")), ()
    arguments = arguments_of(hook_function)

    def run(*call_arguments):
        try:
            return values.checked(hook, hook_function(*call_arguments))
        except (Exception, SystemExit) as error:
            raise _named(name, hook, error) from error

    return _marked(run, **hook_function.minipaas_impl), arguments


def importlib_module(plugin: str, module: str, folder: str = ""):
    """The module of a plugin (`hooks`, `commands`) in `folder`, by default paths.plugins().

    Raises whatever the module raises.
    """
    if PACKAGE not in sys.modules:
        package = types.ModuleType(PACKAGE)
        package.__path__ = [folder or paths.plugins()]
        sys.modules[PACKAGE] = package
    if f"{PACKAGE}.{plugin}" not in sys.modules:
        vendor = os.path.join(sys.modules[PACKAGE].__path__[0], plugin, "vendor")
        if os.path.isdir(vendor) and vendor not in sys.path:
            sys.path.append(vendor)  # last: no plugin's library may replace one of minipaas
    return importlib.import_module(f"{PACKAGE}.{plugin}.{module}")


def arguments_of(function) -> tuple[str, ...]:
    """The names of a function's required arguments."""
    plain = _plain_arguments(function)
    if plain is not None:
        return plain
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind in kinds and p.default is p.empty)


def _plain_arguments(function) -> tuple[str, ...] | None:
    """The names of a function's arguments if all are plain ones without defaults; None for any other callable.

    Nearly all implementations are like that, and inspect.signature takes fifty times as long.
    """
    if not isinstance(function, types.FunctionType) or hasattr(function, "__wrapped__"):
        return None
    code = function.__code__
    others = code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
    if others or function.__defaults__ or hasattr(function, "__signature__"):
        return None
    return code.co_varnames[: code.co_argcount]


def signature_problem(function, hook: str, argnames: tuple[str, ...]) -> str:
    """What is wrong with a function as an implementation of the hook, or an empty string."""
    marked = getattr(function, "minipaas_impl", None)
    if not callable(function) or marked is None:
        return f"{hook} is not marked @api.hookimpl"
    if marked.get("wrapper") or marked.get("hookwrapper"):
        return f"{hook} is a hook wrapper, which minipaas does not call"
    plain = _plain_arguments(function)
    if plain is not None and set(plain) <= set(argnames):
        return ""
    signature = inspect.signature(function)
    right = f"the hook is {hook}({', '.join(argnames)})"
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
            return f"{hook}{signature} wants {parameter.name} by keyword only, which no hook is given; {right}"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.name not in argnames and parameter.default is parameter.empty:
            return f"{hook}{signature} wants {parameter.name}, which this hook does not have; {right}"
    return ""


def _executable(name: str, manifest: dict, hook: str, argnames: tuple[str, ...]):
    def run(*arguments):
        from minipaas_lib.bus import executables

        try:
            return executables.run_hook(name, manifest, hook, dict(zip(argnames, arguments, strict=True)))
        except Exception as error:
            raise _named(name, hook, error) from error

    order = manifest.get("order", {})
    return _marked(run, tryfirst=hook in order.get("tryfirst", ()), trylast=hook in order.get("trylast", ())), argnames


def _failing(error: errors.MinipaasError):
    def run(*arguments):
        raise error

    return _marked(run)


def _marked(function, **options):
    """`function` as pluggy's marker leaves it."""
    from minipaas_lib.bus import hookspecs

    return hookspecs.hookimpl(function, **options)


def _named(name: str, hook: str, error: BaseException, verb: str = "failed in") -> errors.MinipaasError:
    """The error for the user: a refusal as the plugin worded it, anything else as the plugin's failure."""
    if isinstance(error, errors.MinipaasError) and not isinstance(error, errors.PluginFailed) and verb == "failed in":
        error.plugin = name
        if not error.hint:
            error.hint = f"from plugin {name}"
        return error
    message = error.message if isinstance(error, errors.MinipaasError) else f"{type(error).__name__}: {error}"
    return errors.PluginFailed(
        f"plugin {name} {verb} {hook}: {message}",
        f"send its author what --trace shows, or: minipaas plugin:disable {name}",
    )
