"""Get a file over http or https, in as many bytes, seconds and redirects as we allow."""

import contextlib
import re

from minipaas_lib import api
from plugins.git import addresses, streams

REDIRECTS = 5
CONNECT_LIMIT = 15.0  # seconds
_URL = r"https?://[^/?#\x00-\x20\x7f-\uffff-][^#\x00-\x20\x7f-\uffff]*"


def check_url(url: str) -> str:
    """The URL, unchanged. Raises errors.UsageError for what we do not fetch."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        good = re.fullmatch(_URL, url) and len(url) < 4096 and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise api.errors.UsageError(
            f"{shown(url)} cannot be fetched: only http and https can", "give the URL of the archive, or - and send it on stdin"
        )
    if parts.username is not None:
        raise api.errors.UsageError(
            f"{shown(url)} holds a password, and URLs are shown and kept", f"git:auth {parts.hostname} <user>, then the URL without it"
        )
    return url


def shown(url: str) -> str:
    """A URL for people, without what may be secret in it: a password, a query."""
    return api.names.safe(re.sub("^([A-Za-z]+://)[^/]*@", r"\1***@", url.partition("?")[0]))


@contextlib.contextmanager
def opened(url: str):
    """A function limit -> bytes that reads the file behind `url`.

    Raises errors.UsageError for a URL, or a redirect, that is not fetched, errors.Unavailable when the server does not
    give the file.
    """
    connection = None
    try:
        for _ in range(REDIRECTS + 1):
            connection, answer = _ask(check_url(url))
            target = answer.getheader("Location") if answer.status in (301, 302, 303, 307, 308) else None
            if target is None:
                break
            connection.close()
            url = _next(url, target)
        else:
            raise _failed(url, f"it redirects more than {REDIRECTS} times")
        if answer.status != 200:
            raise _failed(url, f"it answers {answer.status} {api.output.tame(answer.reason)[:80]}")
        yield lambda limit: _read(answer, url, limit)
    finally:
        if connection is not None:
            connection.close()


def _next(url: str, target: str) -> str:
    from urllib.parse import urljoin

    following = urljoin(url, target)
    if url.startswith("https:") and not following.startswith("https:"):
        raise _failed(url, "it redirects away from https")
    return following


def _ask(url: str):
    """Send a GET; the connection goes to the very address that was checked."""
    import http.client
    import socket
    import ssl
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    address = addresses.resolve(parts.hostname, port)[0]
    headers = {"User-Agent": "minipaas", "Accept-Encoding": "identity", **_authorization(parts.netloc)}
    try:
        plain = socket.create_connection((address, port), CONNECT_LIMIT)
        plain.settimeout(streams.IDLE_LIMIT)
        connection = http.client.HTTPConnection(parts.hostname, port)
        if secure:
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname)
            connection = http.client.HTTPSConnection(parts.hostname, port)
        connection.sock = plain
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers=headers)
        return connection, connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise _failed(url, str(getattr(error, "strerror", None) or error)[:200]) from None


def _authorization(server: str) -> dict[str, str]:
    """The credentials of git:auth for this server, and for no other that it redirects to."""
    import base64

    user, password = api.remotes.credentials().get(server, ("", ""))
    if not user:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _read(answer, url: str, limit: int) -> bytes:
    import http.client

    try:
        piece = answer.read(limit)
    except (OSError, http.client.HTTPException):
        raise _failed(url, "the connection broke in the middle") from None
    if not piece and answer.length:
        raise _failed(url, "the connection broke in the middle")
    return piece


def _failed(url: str, why: str) -> "api.errors.Unavailable":
    return api.errors.Unavailable(f"{shown(url)} cannot be fetched: {api.output.tame(why)}", "look at the URL")
