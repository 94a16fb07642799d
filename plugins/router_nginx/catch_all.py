"""The files `_port_<port>.conf`: what nginx answers on a port for a name that none of the apps has there.

On port 80 and 443 that is our page, unless domains:set-default names an app. On any other port it is the app that maps
it, where only one does: whoever asks that port by the host's bare address means that app. A name that another app owns
gets a page nevertheless.
"""

from plugins.router_nginx import files, render
from plugins.router_nginx.host import Host

WEB = (80, 443)  # ports that apps share, so that no app has one for itself


def contents(host: Host, app: str, former: str, text: str) -> dict[str, str | None]:
    """The files of all ports that an app's file uses or used, once that is `text`; None: to be removed.

    An empty text is no file. Port 80 of the host has its file whatever apps there are.
    """
    shared = host.place.port
    found: dict[str, str | None] = {}
    for port in sorted(files.ports_of(former) | files.ports_of(text) | {shared}):
        path = files.port_path(host, port)
        users = {} if port == shared else _users(host, app, text, port)
        if port == shared or port in WEB:
            found[path] = _shared(host, app, text, port, path)
        elif len(users) == 1:
            (only,) = users.items()
            found[path] = render.catch_all(only[0], only[1], port, host.place) or render.port_file(port, host.place)
        else:
            found[path] = render.port_file(port, host.place) if users else None
    return found


def _shared(host: Host, app: str, text: str, port: int, path: str) -> str:
    """For a port that all apps answer on: only the default app, if there is one, gets the unknown names."""
    present = files.read(path) or ""
    if files.is_default(text):
        return render.catch_all(app, text, port, host.place) or render.port_file(port, host.place)
    if files.default_of(present) in ("", app):  # it may have stepped down for one that was told before
        for other in files.apps(host) if files.default_of(present) == app else ():
            standing = files.read(files.app_path(host, other)) or ""
            if other != app and files.is_default(standing):
                return render.catch_all(other, standing, port, host.place) or render.port_file(port, host.place)
        return render.port_file(port, host.place)
    return present


def _users(host: Host, app: str, text: str, port: int) -> dict[str, str]:
    """The text of each app that maps the port."""
    found = {app: text} if port in files.ports_of(text) else {}
    for other in files.apps(host):
        if other != app:
            standing = files.head(host, other)
            if port in files.ports_of(standing):
                found[other] = files.read(files.app_path(host, other)) or ""
    return found
