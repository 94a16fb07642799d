"""The command of a wheel, also as `python -P -m minipaas_lib`; a checkout and the zipapp have entries of their own."""

import contextlib
import importlib
import sys

from minipaas_lib import main


def program() -> None:
    """Run the command line and end the process at once.

    The plugins of a wheel are below minipaas_lib, so that no other program sees a top-level `plugins`. Here they get
    the name by which they import themselves, before another package of that name can take it.
    """
    with contextlib.suppress(ModuleNotFoundError):  # an editable install has the checkout itself on its path
        sys.modules["plugins"] = importlib.import_module("minipaas_lib.plugins")
    main.program()


if __name__ == "__main__":
    program()
