"""The files in minipaas' folder, written atomically, and the shadow copy in which nginx tests a change."""

import contextlib
import os
import re

from minipaas_lib import api
from plugins.router_nginx.host import Host

_HEAD = re.compile(rb"# minipaas app=([a-z0-9-]+) generation=(\S+) ports=([0-9,]*)( default)?\n")
_PORT_HEAD = re.compile("# minipaas port=[0-9]+ default=([a-z0-9-]*)\n")


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def app_path(host: Host, app: str) -> str:
    return os.path.join(host.live, app + ".conf")


def port_path(host: Host, port: int) -> str:
    return os.path.join(host.live, f"_port_{port}.conf")  # no app's name begins with _


def everywhere_path(host: Host) -> str:
    return os.path.join(host.place.folder, "everywhere.json")


def everywhere_text(chosen: dict[str, str]) -> str:
    import json

    return json.dumps(chosen, indent=1, sort_keys=True) + "\n"


def read_everywhere(host: Host) -> dict[str, str]:
    """The settings for all apps that this nginx uses; empty if they cannot be read, as defaults work too."""
    import json

    try:
        found = json.loads(read(everywhere_path(host)) or "{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def apps(host: Host) -> list[str]:
    """The apps that have a file, sorted."""
    try:
        names = os.listdir(host.live)
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(".conf") for name in names if name.endswith(".conf") and not name.startswith("_"))


def ports_of(text: str) -> set[int]:
    """The ports of the host that the file of an app says it uses."""
    found = _HEAD.match(text[:500].encode())
    return {int(port) for port in found[3].decode().split(",") if port} if found else set()


def generation_of(text: str) -> str:
    """The generation that the file of an app names; empty if it names none."""
    found = _HEAD.match(text[:500].encode())
    return found[2].decode() if found else ""


def is_default(text: str) -> bool:
    """Whether the file of an app says that it answers unknown names on port 80."""
    found = _HEAD.match(text[:500].encode())
    return bool(found and found[4])


def default_of(text: str) -> str:
    """The app that answers unknown names, from the file of a port; empty if none."""
    found = _PORT_HEAD.match(text[:500])
    return found[1] if found else ""


def head(host: Host, app: str) -> str:
    """The first line of an app's file."""
    try:
        with open(app_path(host, app), encoding="utf-8", errors="replace") as file:
            return file.readline(500)
    except OSError:
        return ""


def ports_in_use(host: Host, but: str) -> set[int]:
    """The ports of the host that all apps but one use. Reads the first line of each file."""
    used: set[int] = set()
    for app in apps(host):
        if app != but:
            used |= ports_of(head(host, app))
    return used


def make_shadow(host: Host, main: str, contents: dict[str, str]) -> None:
    """Fill the shadow folder: all that nginx reads on this host, but of minipaas' files only `contents` (name -> text).

    The other apps' files are left out: they cannot conflict with a new one (each has its own upstream names, no
    listen options, and equal domains are a warning), and a test that opens a thousand logs takes its time. A reload
    reads them all anyway before it does anything. Relative includes start at nginx.conf's folder, so what is beside
    nginx.conf is linked to be beside the shadow's.
    """
    api.kernel.folders.remove(host.shadow)
    for folder in ("", "conf.d", "live"):
        os.makedirs(os.path.join(host.shadow, folder), mode=0o700, exist_ok=True)
    _link_all(host.etc, host.shadow, {"nginx.conf", "conf.d"})
    _link_all(os.path.join(host.etc, "conf.d"), os.path.join(host.shadow, "conf.d"), {"minipaas.conf"})
    with open(os.path.join(host.etc, "nginx.conf"), encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    shadow_main = os.path.join(host.shadow, "main.conf")
    text = text.replace(f"{host.etc}/conf.d/", f"{host.shadow}/conf.d/")
    _put(os.path.join(host.shadow, "nginx.conf"), text)
    _put(os.path.join(host.shadow, "conf.d", "minipaas.conf"), f"include {shadow_main};\n")
    _put(shadow_main, main)
    for name, content in contents.items():
        _put(os.path.join(host.shadow, "live", name), content)


def link_live(host: Host) -> None:
    """Put all live files into the shadow folder too, as hard links."""
    for name in os.listdir(host.live):
        if name.endswith(".conf"):
            with contextlib.suppress(FileExistsError):
                os.link(os.path.join(host.live, name), os.path.join(host.shadow, "live", name))


def _link_all(source: str, target: str, but: set[str]) -> None:
    for name in os.listdir(source):
        if name not in but:
            os.symlink(os.path.join(source, name), os.path.join(target, name))


def _put(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
