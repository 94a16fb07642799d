"""Which hosts minipaas fetches from for users: not from itself, and not from the cloud's metadata service.

Users with a key are trusted to name hosts, private networks included: code that is pushed may reach them anyway. But
this host's loopback and link-local addresses (169.254.169.254 gives a cloud machine its credentials) are open to
minipaas and not to apps, and so are the ports that the machines of a cluster use among themselves. Root on the host
itself may name them in a command; a pushed file may not, no matter who builds it.
"""

import re
from collections.abc import Callable
from typing import TypeVar

from minipaas_lib import caller, cluster_settings, errors, names, output

REDIRECTS = 5
CONNECT_LIMIT = 15.0  # seconds
ANSWER_LIMIT = 60.0  # seconds between two pieces of an answer
_CLOUD = ("fd00:ec2::254", "100.100.100.200")  # outside the link-local ranges: AWS over IPv6, Alibaba
_INFO = "/info/refs?service=git-upload-pack"  # what git requests first (gitprotocol-http(5))
_REDIRECTED = re.compile(r"returned error: 30[12378]\b")
Result = TypeVar("Result")


class Refused(errors.UsageError):
    """A host that minipaas does not fetch from."""


def refused(address: str) -> bool:
    """Whether an IP address belongs to this host itself or the cloud's metadata service, which apps cannot reach."""
    import ipaddress

    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.version == 6 and ip in ipaddress.ip_network("64:ff9b::/96"):  # IPv4 behind NAT64
        ip = ipaddress.ip_address(int(ip) & 0xFFFFFFFF)
    closed = (ip.is_loopback, ip.is_link_local, ip.is_multicast, ip.is_unspecified, str(ip) in _CLOUD)
    return any(closed) or (ip.version == 4 and int(ip) < 1 << 24)


def by_root() -> bool:
    """Whether root runs the command, who may name any host."""
    return caller.key() == "root"


def resolve(host: str, port: int, trusted: bool = False, proxied: bool = False) -> list[str]:
    """The addresses of a host, all of them allowed.

    trusted: allow all addresses. proxied: a proxy resolves names, so only literal addresses are checked, and a name
    gives no address. Raises Refused; errors.Unavailable if there is no such host.
    """
    import socket

    hostname = host.rstrip(".").lower()
    if not trusted and (hostname == "localhost" or hostname.endswith(".localhost")):
        raise _refused(f"{names.safe(host)} is an address of this host itself")
    cluster = None if trusted else cluster_settings.settings()
    if cluster and port in cluster_settings.inner_ports(cluster):
        raise _refused(f"{names.safe(host)}:{port} is a port that the cluster uses internally")
    try:
        flags = socket.AI_NUMERICHOST if proxied else 0
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError, OverflowError):
        if proxied:
            return []
        raise errors.Unavailable(f"the host {names.safe(host)} cannot be found", "check its name") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    for address in [] if trusted else addresses:
        if refused(address):
            which = "" if host == address else f"{address}, "
            raise _refused(f"{names.safe(host)} is {which}an address of this host itself")
    return addresses


def _refused(message: str) -> Refused:
    by_command = "root may have it fetched, by the same command on the host itself"
    hint = by_command if caller.command() else "use an address that can be reached from elsewhere"
    return Refused(f"{message}; minipaas does not fetch from there", hint)


def for_git(
    url: str, fetch: Callable[[str, list[str]], Result], trusted: bool = False, env: dict[str, str] | None = None
) -> Result:
    """The result of `fetch(url, options)`, with options that make git connect to exactly the checked addresses.

    git itself follows no redirect: the target of each is checked too, and `fetch` is called again with it. env: git's
    environment, for proxies and certificates. Raises what fetch raises, Refused, errors.Unavailable.
    """
    for _ in range(REDIRECTS + 1):
        options = ["-c", "http.followRedirects=false"]
        host, port = _place(url)
        if not host and re.match("(?:https?|git|ssh)://", url):
            raise _refused(f"{_shown(url)} does not name a host")
        if host:
            proxied = url.startswith("http") and proxy(url, env or {})
            addresses = resolve(host, port, trusted, proxied)
            if addresses and url.startswith("http") and host not in addresses and ":" not in host:
                options += ["-c", f"http.curloptResolve={host}:{port}:{','.join(addresses)}"]
        try:
            return fetch(url, options)
        except errors.MinipaasError as error:
            if not (url.startswith("http") and _REDIRECTED.search(error.message)):
                raise
        url = _redirect(url, trusted, env or {})
    raise errors.Unavailable(
        f"{_shown(url)} redirects more than {REDIRECTS} times", "give the URL that it redirects to"
    )


def proxy(url: str, env: dict[str, str]) -> bool:
    """Whether the URL is fetched through a proxy, by the variables that curl reads."""
    scheme = url.partition(":")[0]
    return any(
        env.get(name) for name in (f"{scheme}_proxy", "HTTPS_PROXY" * (scheme == "https"), "all_proxy", "ALL_PROXY")
    )


def _place(url: str) -> tuple[str, int]:
    from minipaas_lib.git import remote_url

    return remote_url.host_of(url)


def _redirect(url: str, trusted: bool, env: dict[str, str]) -> str:
    """The URL that a repository redirects to. Raises errors.Unavailable."""
    from urllib.parse import urljoin

    info_url = url.rstrip("/") + _INFO
    connection, answer = ask(info_url, trusted, ca_file=env.get("GIT_SSL_CAINFO", ""))
    connection.close()
    target = urljoin(info_url, answer.getheader("Location") or "")
    if url.startswith("https:") and not target.startswith("https:"):
        raise errors.Unavailable(f"{_shown(url)} redirects away from https", "give the URL that it redirects to")
    if (
        answer.status not in (301, 302, 303, 307, 308)
        or not target.endswith(_INFO)
        or "@" in target
        or not _place(target)[0]
    ):
        raise errors.Unavailable(f"{_shown(url)} redirects to something that is not a repository", "check the URL")
    output.info(f"it has moved to {_shown(target.removesuffix(_INFO))}")
    return target.removesuffix(_INFO)


def ask(url: str, trusted: bool = False, headers: dict[str, str] | None = None, ca_file: str = ""):
    """GET an http or https URL from exactly the address that was checked, without following redirects.

    Returns an http.client connection, which the caller closes, and its response. Raises Refused, errors.Unavailable.
    """
    import http.client
    import socket
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    host = parts.hostname or ""
    address = resolve(host, port, trusted)[0]
    plain = None
    try:
        plain = socket.create_connection((address, port), CONNECT_LIMIT)
        plain.settimeout(ANSWER_LIMIT)
        connection = http.client.HTTPConnection(host, port)
        if secure:
            context = ssl.create_default_context(cafile=ca_file or None)
            plain = context.wrap_socket(plain, server_hostname=host)
            connection = http.client.HTTPSConnection(host, port)
        connection.sock = plain
        request_headers = {"User-Agent": "minipaas", "Accept-Encoding": "identity", **(headers or {})}
        connection.request(
            "GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=request_headers
        )
        return connection, connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        if plain is not None:
            plain.close()
        raise errors.Unavailable(
            f"{_shown(url)} cannot be fetched: {output.tame(str(getattr(error, 'strerror', None) or error)[:200])}",
            "look at the URL",
        ) from None


def _shown(url: str) -> str:
    """A URL for display, without parts that may be secret."""
    return names.safe(re.sub("^([A-Za-z]+://)[^/]*@", r"\1***@", url.partition("?")[0]))[1:-1]
