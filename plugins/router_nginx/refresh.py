"""Rewrite the files of all apps as this version renders them: after an upgrade, with a single reload."""

import contextlib
import re
from collections.abc import Callable

from minipaas_lib import api
from plugins.router_nginx import catch_all, files, render


def refresh(router, route_of: Callable[[str, list], "api.Route | None"]) -> list[str]:
    """Rewrite the files of apps as this version renders them; return why some could not be, in sentences.

    route_of: the live route of an app to backends. Those are taken from the file: nobody's requests go elsewhere.
    """
    host = router.host
    former: dict[str, str | None] = {}
    wanted: dict[str, str] = {}
    failed, routed = [], []
    for app in files.apps(host):
        path = files.app_path(host, app)
        try:
            text = files.read(path) or ""
            route = route_of(app, backends(text))
            if route is None or route.generation != files.generation_of(text):
                continue  # another command is at it
            content = render.app_file(route, host.place)
            fresh = {path: content, **catch_all.contents(host, app, text, content)}
        except api.errors.NotFound:
            continue  # its app is gone: doctor tells of it
        except (api.errors.MinipaasError, OSError, ValueError) as error:
            failed.append(f"the route of {app} stays as it was: {error}")
            continue
        routed.append(route)
        for path, fresh_text in fresh.items():
            former[path] = files.read(path)
            if fresh_text is not None and former[path] not in (None, fresh_text):
                wanted[path] = fresh_text
    failed += router.replace(wanted, former) if wanted else []
    for route in routed:  # versions before knew of no names
        router.own(route)
    return failed


def announce(router, app_names: list[str], reroute: Callable[[str], None]) -> None:
    """Have the router know the names of apps that it knows nothing of: versions before did not tell it of all.

    What cannot be told now, as while nginx does not run, ps:restore tells at the next boot.
    """
    for app in sorted({*app_names} - {*router.routes()}):
        with contextlib.suppress(api.errors.MinipaasError):
            reroute(app)


def backends(text: str) -> list["api.Backend"]:
    """The processes that the file of an app leads to. Raises ValueError if their ports are not the app's own."""
    found: dict[str, None] = {}
    for upstream in re.findall(r"^upstream \S+ \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        for address in re.findall(r"^ +server (\S+):[0-9]+[ ;]", upstream, re.MULTILINE):
            found[address.strip("[]")] = None
    for name, body in re.findall(
        r"^upstream minipaas_[a-z0-9-]+_([0-9]+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL
    ):
        if set(re.findall(r"^ +server \S+:([0-9]+)[ ;]", body, re.MULTILINE)) - {name}:
            raise ValueError("its processes have other ports than the app's")
    return [api.Backend(address) for address in found]
