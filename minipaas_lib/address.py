"""The address at which this host is reached, which replaces `<host>` in hints, so that they can be pasted.

In SSH_CONNECTION OpenSSH gives the client's address and port, then the server's (ssh(1), ENVIRONMENT).
"""

import os
import re
from typing import NamedTuple

from minipaas_lib import paths

SSHD_CONFIG = "/etc/ssh"
_PLACE = re.compile(r"(?P<ssh>\bssh (?P<options>-t )?)?(?P<user>[a-z]+)@<host>(?::(?P<app><app>|[a-z0-9][a-z0-9-]*))?")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-fA-F:]{2,39}")


class Address(NamedTuple):
    host: str
    port: int = 22


def name_file() -> str:
    """The file in which install.sh --host stores the name of this host."""
    return os.path.join(paths.root(), "host-name")


def reached() -> "Address | None":
    """The host as the caller reaches it; None if unknown, as behind NAT."""
    came_by = _of_connection(os.environ.get("SSH_CONNECTION", ""))
    port = came_by[1].port if came_by else ssh_ports()[0]
    if name := _set_name():
        return Address(name, port)
    if came_by:
        client, server = came_by
        return None if _is_translated(client, server.host) else server
    return Address(_own(), port)


def fill(text: str) -> str:
    """The text with `<user>@<host>` replaced by a real address, with port and brackets where ssh or git needs them."""
    if "@<host>" not in text:
        return text
    address = reached()
    return _PLACE.sub(lambda match: _filled(match, address), text) if address else text


def _filled(match: "re.Match[str]", address: Address) -> str:
    bracketed = f"[{address.host}]" if ":" in address.host else address.host
    if match["app"]:
        if address.port != 22:
            return f"ssh://{match['user']}@{bracketed}:{address.port}/{match['app']}"
        return f"{match['user']}@{bracketed}:{match['app']}"
    if match["ssh"] is None:
        return f"{match['user']}@{bracketed}"
    option = "" if address.port == 22 else f"-p {address.port} "
    return f"ssh {match['options'] or ''}{option}{match['user']}@{address.host}"  # ssh takes no brackets here


def ssh_ports(folder: str = SSHD_CONFIG) -> list[int]:
    """The ports in sshd_config and the files it includes by Debian's default; 22 if there are none."""
    extra = os.path.join(folder, "sshd_config.d")
    try:
        names = [name for name in sorted(os.listdir(extra)) if name.endswith(".conf")]
    except OSError:  # it is missing, or only root may read it, as on a hardened host
        names = []
    files = [os.path.join(folder, "sshd_config"), *(os.path.join(extra, name) for name in names)]
    words = [line.split() for file in files for line in _text(file).split("\n")]
    ports = [line[1] for line in words if len(line) == 2 and line[0].lower() == "port"]
    return [int(port) for port in ports if re.fullmatch("[0-9]{1,5}", port)] or [22]


def _of_connection(text: str) -> "tuple[str, Address] | None":
    """The client's address and the server's address and port."""
    words = [word.removeprefix("::ffff:") for word in text.split(" ")]
    if len(words) != 4 or not NAME.fullmatch(words[2]) or not re.fullmatch("[0-9]{1,5}", words[3]):
        return None
    return words[0], Address(words[2], int(words[3]))


def _is_translated(client: str, server: str) -> bool:
    """Whether a client from the internet reached a private address: the public one is unknown here."""
    import ipaddress

    try:
        client_ip, server_ip = (
            ipaddress.ip_address(client.partition("%")[0]),
            ipaddress.ip_address(server.partition("%")[0]),
        )
    except ValueError:
        return False
    return client_ip.is_global and not server_ip.is_global


def _set_name() -> str:
    name = _text(name_file()).strip()
    return name if NAME.fullmatch(name) else ""


def _own() -> str:
    """This host's name if it is fully qualified, else its address. Nothing is looked up: that may take long."""
    name = os.uname().nodename.lower().rstrip(".")
    if "." in name and NAME.fullmatch(name) and not name.endswith((".localdomain", ".local", ".internal")):
        return name
    return own_address() or os.uname().nodename


def own_address() -> str:
    """The source address of a packet to the internet, IPv4 first; empty without a route. Nothing is sent."""
    import socket

    for family, anywhere in ((socket.AF_INET, "1.1.1.1"), (socket.AF_INET6, "2606:4700:4700::1111")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((anywhere, 53))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
