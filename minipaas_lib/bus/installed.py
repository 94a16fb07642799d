"""The folder of plugins from elsewhere, paths.plugins(): one folder each, and the index of those that are enabled.

<name>/                  the plugin; root's, for all to read
<name>/.installed.json   where it came from, which commit, when
<name>/.disabled         there while it is disabled
.former/<name>/          what was there before the last install, update or uninstall
index                    what bus.index reads, made from all of these
"""

import json
import marshal
import os

from minipaas_lib import errors, output, paths
from minipaas_lib.bus import catalog, manifest

RECORD = ".installed.json"
DISABLED = ".disabled"
FORMER = ".former"


def folder(name: str) -> str:
    return os.path.join(paths.plugins(), name)


def names() -> list[str]:
    """All that are installed, sorted."""
    try:
        found = sorted(os.listdir(paths.plugins()))
    except FileNotFoundError:
        return []
    return [name for name in found if not name.startswith(".") and os.path.isdir(folder(name))]


def is_enabled(name: str) -> bool:
    return not os.path.lexists(os.path.join(folder(name), DISABLED))


def enabled() -> dict[str, dict]:
    """What the index has: those that are enabled and can be used, by name. Others are warned of."""
    found: dict[str, dict] = {}
    for name in names():
        if not is_enabled(name):
            continue
        try:
            about = manifest.read(folder(name))
        except errors.MinipaasError as error:
            output.warn(f"plugin {name} is skipped: {error.message}")
            continue
        if about["name"] == name:
            found[name] = about
    return found


def record(name: str) -> dict:
    """Where an installed plugin came from: source, committish, commit, digest, installed (UTC); {} if unknown."""
    try:
        with open(os.path.join(folder(name), RECORD), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_index() -> None:
    """Write the index. Who has read the former one does so again by manager.reindex(). Raises OSError."""
    found = enabled()
    path = os.path.join(paths.plugins(), "index")
    temporary = f"{path}.new"
    with open(temporary, "wb") as file:
        file.write(catalog.header() + marshal.dumps(found))
        file.flush()
        os.fsync(file.fileno())
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
