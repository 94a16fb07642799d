"""The cluster that this host belongs to, if any: `cluster.toml` in paths.root(), of mode 0600.

    etcd = ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
    ca = "/etc/minipaas/ca.pem"
    cert = "/etc/minipaas/client.pem"
    key = "/etc/minipaas/client-key.pem"
    fleet = "unix:///var/run/fleet.sock"
    moving = "in"                               # while apps are moved to the cluster; "out": back to this host

    [node]                                      # settings for the agent of this machine

Without the file this is a single host with a state folder of its own.
"""

import os
from typing import NamedTuple

from minipaas_lib import errors, paths

_TEXTS = ("ca", "cert", "key", "fleet", "moving")
IN, OUT = "in", "out"  # values of `moving`
# The ports that machines of a cluster use among themselves: etcd's, old and new; fleet's; agents' and heads'.
INNER_PORTS = frozenset({2379, 2380, 4001, 7001, 49153, 7390, 7391})


class ClusterSettings(NamedTuple):
    etcd: tuple[str, ...]  # client URLs, at least one
    ca: str = ""  # file of the certificate authority; the system's authorities without one
    cert: str = ""  # file of the client certificate
    key: str = ""  # file of its private key
    fleet: str = ""  # URL of fleet's API: unix:///..., http://...
    node: dict = {}  # the table [node], as it is
    moving: str = ""  # IN or OUT while apps are moved between this host and the cluster


def path() -> str:
    """The file that makes this host a head of a cluster."""
    return os.path.join(paths.root(), "cluster.toml")


_assumed: ClusterSettings | None = None


def assume(cluster: ClusterSettings | None) -> None:
    """Make this process use these settings instead of the file, until it assumes None: to try them first."""
    global _assumed
    _assumed = cluster


def settings() -> ClusterSettings | None:
    """The settings in the file; None if there is none. Raises errors.BadConfig."""
    if _assumed is not None:
        return _assumed
    try:
        os.stat(path())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _bad(error.strerror or str(error)) from None
    return _read()


def _read() -> ClusterSettings:
    import tomllib

    try:
        with open(path(), "rb") as file:
            return parse(tomllib.load(file))
    except OSError as error:
        raise _bad(error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise _bad(str(error)) from None


def parse(table: dict) -> ClusterSettings:
    """The settings in the file's table. Raises errors.BadConfig."""
    etcd = table.get("etcd")
    if not isinstance(etcd, list) or not etcd or not all(is_etcd_url(url) for url in etcd):
        raise _bad("etcd must be a list of addresses such as http://10.0.0.1:2379")
    for name in _TEXTS:
        if not isinstance(table.get(name, ""), str) or "\0" in table.get(name, ""):
            raise _bad(f"{name} must be a text")
    if bool(table.get("cert")) != bool(table.get("key")):
        raise _bad("cert and key belong together")
    if table.get("moving", "") not in ("", IN, OUT):
        raise _bad(f"moving must be {IN} or {OUT}")
    if not isinstance(table.get("node", {}), dict):
        raise _bad("node must be a table")
    if unknown := sorted(table.keys() - {"etcd", "node", *_TEXTS}):
        raise _bad(f"there is no setting {unknown[0][:40]!r}")
    texts = {name: table.get(name, "") for name in _TEXTS}
    return ClusterSettings(tuple(url.rstrip("/") for url in etcd), **texts, node=table.get("node", {}))


def is_etcd_url(url: object) -> bool:
    """Whether `url` is the address of an etcd server: http or https, a host, maybe a port, and no more."""
    from urllib.parse import urlsplit

    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or set(url) & set(" ?#@\\"):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = url.startswith(("http://", "https://")) and not parts.path.strip("/")
    return plain and bool(parts.hostname) and port != 0


def inner_ports(cluster: ClusterSettings) -> tuple[int, ...]:
    """The ports that apps must not connect to: access to etcd or fleet is root on every node. Pure.

    Those of HTTP are never among them, no matter what listens there.
    """
    from urllib.parse import urlsplit

    urls = [urlsplit(url) for url in (*cluster.etcd, *cluster.fleet.split(",")) if url.startswith("http")]
    named = {url.port for url in urls if url.port is not None}
    return tuple(sorted((INNER_PORTS | named) - {80, 443}))


def write(cluster: ClusterSettings) -> None:
    """Make this host a head of that cluster from the next command on. Raises OSError."""
    from minipaas_lib import vendor
    from minipaas_lib.toolkit import durable_file

    vendor.activate()
    import tomlkit

    table = {name: value for name, value in cluster._asdict().items() if value}
    durable_file.write(path(), tomlkit.dumps(table | {"etcd": list(cluster.etcd)}))


def remove() -> None:
    """Make this host a single host again from the next command on. Raises OSError."""
    from minipaas_lib.toolkit import durable_file

    durable_file.remove(path())


def _bad(reason: str) -> errors.BadConfig:
    return errors.BadConfig(f"{path()} cannot be used: {reason}", f"as root: editor {path()}")
