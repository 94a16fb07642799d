"""Get a file over http or https, in as many bytes, seconds and redirects as we allow."""

import contextlib
import re

from minipaas_lib import api

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
            f"{shown(url)} cannot be fetched: only http and https can",
            "give the URL of the archive, or - and send it on stdin",
        )
    if parts.username is not None:
        raise api.errors.UsageError(
            f"{shown(url)} contains a password, but URLs are shown and stored",
            f"git:auth {parts.hostname} <user>, then: use the URL without it",
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
        for _ in range(api.kernel.destinations.REDIRECTS + 1):
            connection, answer = _ask(check_url(url))
            target = answer.getheader("Location") if answer.status in (301, 302, 303, 307, 308) else None
            if target is None:
                break
            connection.close()
            url = _next(url, target)
        else:
            raise _failed(url, f"it redirects more than {api.kernel.destinations.REDIRECTS} times")
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
    """Send a GET, with the credentials of git:auth for this server and for no other that it redirects to."""
    return api.kernel.destinations.ask(url, api.kernel.destinations.by_root(), _authorization(url))


def _authorization(url: str) -> dict[str, str]:
    """A password goes over https only."""
    import base64
    from urllib.parse import urlsplit

    user, password = api.kernel.remotes.credentials().get(urlsplit(url).netloc, ("", ""))
    if not user or not url.startswith("https:"):
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
    hint = api.kernel.downloads.by_host(why) or "look at the URL"
    return api.errors.Unavailable(f"{shown(url)} cannot be fetched: {api.output.tame(why)}", hint)
