"""The names that apps own, as files that nginx looks up during a request (see nginx/names.j2).

`names/<state>/<name>` holds the app that the name is of, and `names/apps/<app>` lists the names of an app, so that one
can be taken back after a kill: it lists what is about to be there before it is, and what is gone until it is.
Nothing here needs to survive a power cut by itself: the next routing of the app repairs it.
"""

import contextlib
import os

from minipaas_lib import api
from plugins.router_nginx import files
from plugins.router_nginx.host import Host

NEW, OFF, LIVE = "new", "off", "live"  # not deployed yet; its proxy is disabled; its servers answer
STATES = (NEW, OFF, LIVE)


def make_folders(host: Host) -> None:
    """Make the folders readable for nginx's workers, which run as www-data."""
    for name in ("", *STATES, "apps"):
        folder = os.path.join(host.place.names, name)
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o755)


def keep(host: Host, app: str, state: str, names: tuple[str, ...]) -> None:
    """Make exactly these the app's names, all in one state. Raises OSError."""
    make_folders(host)
    wanted, listed = set(names), set(of(host, app))
    if wanted - listed:
        _list(host, app, wanted | listed)
    for name in sorted(wanted):
        _put(host, app, state, name)
    for name in sorted(listed - wanted):
        for other in STATES:
            if _owner(_path(host, other, name)) == app:
                _remove(_path(host, other, name))
    if listed - wanted:
        _list(host, app, wanted)


def of(host: Host, app: str) -> list[str]:
    """The names recorded for an app."""
    return (files.read(_path(host, "apps", app)) or "").split()


def apps(host: Host) -> list[str]:
    """The apps that own names."""
    try:
        return sorted(
            name
            for name in os.listdir(os.path.join(host.place.names, "apps"))
            if not api.kernel.durable_file.is_unfinished(name)
        )
    except FileNotFoundError:
        return []


def are(host: Host, app: str, state: str, names: tuple[str, ...]) -> bool:
    """Whether exactly these names are recorded for the app, in that state."""
    return set(of(host, app)) == set(names) and all(_owner(_path(host, state, name)) == app for name in names)


def state_of(host: Host, app: str) -> str:
    """The state that an app's names are in; empty if it has none."""
    for name in of(host, app):
        for state in STATES:
            if _owner(_path(host, state, name)) == app:
                return state
    return ""


def owner_of(host: Host, name: str) -> str:
    """The app that owns a name; empty if none."""
    return next((app for state in STATES if (app := _owner(_path(host, state, name)))), "")


def covering(host: Host, app: str, names: list[str]) -> set[str]:
    """The other apps whose wildcards would answer one of the names in nginx."""
    found = {_owner(_path(host, LIVE, wildcard)) for name in names for wildcard in wildcards_above(name)}
    return found - {"", app}


def withheld_below(host: Host, app: str, wildcards: list[str]) -> set[str]:
    """The other apps that are not routed and own a name which one of the wildcards would answer."""
    found = set()
    for state in (NEW, OFF) if wildcards else ():
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(os.path.join(host.place.names, state)):
                if is_below(name, wildcards):
                    found.add(_owner(_path(host, state, name)))
    return found - {"", app}


def is_below(name: str, wildcards: list[str]) -> bool:
    return not set(wildcards).isdisjoint(wildcards_above(name))


def wildcards_above(name: str) -> list[str]:
    """All wildcards that would answer a name, or a name below it where it is a wildcard itself. Pure."""
    parts = name.removeprefix("*.").split(".")
    return ["*." + ".".join(parts[count:]) for count in range(1, len(parts))]


def _put(host: Host, app: str, state: str, name: str) -> None:
    path = _path(host, state, name)
    others = [
        other for other in (_path(host, other, name) for other in STATES) if other != path and os.path.exists(other)
    ]
    if _owner(path) != app:
        temporary = f"{_path(host, 'apps', app)}.{os.getpid()}.new"
        with open(temporary, "w", encoding="ascii") as file:
            file.write(app)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    for other in others:
        _remove(other)


def _list(host: Host, app: str, names: set[str]) -> None:
    path = _path(host, "apps", app)
    if names:
        api.kernel.durable_file.write(path, "\n".join(sorted(names)) + "\n")
    else:
        _remove(path)


def _owner(path: str) -> str:
    """The app in the file of a name; empty if there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _path(host: Host, folder: str, name: str) -> str:
    return os.path.join(host.place.names, folder, name)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
