"""Names of a module that are imported when they are first used (PEP 562)."""

import importlib
from collections.abc import Callable


def names_of(
    module: dict, origins: dict[str, str], advice: Callable[[str], str] = lambda name: ""
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of the module with these globals.

    origins: name -> a module of minipaas_lib (`errors`), or a name in one (`model.app:App`). `advice` is what follows
    the error for a name that there is not.
    """

    def get(name: str) -> object:
        if name not in origins:
            said = "" if name.startswith("_") else advice(name)
            raise AttributeError(f"{module['__name__']} has no {name}{said}")
        origin, _, attribute = origins[name].partition(":")
        value = importlib.import_module(f"minipaas_lib.{origin}")
        module[name] = getattr(value, attribute) if attribute else value
        return module[name]

    return get, lambda: sorted(origins)
