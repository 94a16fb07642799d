"""etcd's v2 keys over HTTP: the only module that uses python-etcd, and works around its known faults.

- It uses urllib3's defaults, which repeat a PUT after a timeout. Here nothing is sent twice implicitly.
- It treats its list of servers alike for reads and writes, keeps asking dead ones, and takes a silent server for "no
  news" while watching. Here each member has a client of its own, and etcd_cluster chooses between them.
- It calls getheader() of responses, which urllib3 2.6.0 removed; it verifies no certificate unless a CA is named.
- It gives no useful message about a server without the v2 API ("404 page not found").
- Under gevent a socket's timeout reaches it as it is, not as urllib3's. Here both mean the same.
- It imports a DNS library for a lookup that never happens here; that is half of its load time.

Source: etcd's v2 API, https://etcd.io/docs/v2.3/api/ and errorcode.md.
"""

import json
import ssl
import sys
import types
from typing import NamedTuple
from urllib.parse import urlsplit

from minipaas_lib import errors


def _without_dns() -> None:
    """Stand in for the DNS library while python-etcd is imported, unless it is there already."""
    if "dns.resolver" in sys.modules:
        return
    names = {"dns": types.ModuleType("dns"), "dns.resolver": types.ModuleType("dns.resolver")}
    vars(names["dns"])["resolver"] = names["dns.resolver"]
    missing = [name for name in names if name not in sys.modules]
    sys.modules.update({name: names[name] for name in missing})
    try:
        import etcd  # noqa: F401
    finally:
        for name in missing:
            del sys.modules[name]


_without_dns()
import etcd  # noqa: E402
import urllib3  # noqa: E402
from urllib3.exceptions import ConnectTimeoutError, ReadTimeoutError, SSLError  # noqa: E402

CONNECT = 1.5  # seconds until a member that does not accept a connection is skipped
ANSWER = 2.0  # seconds until one that accepted it and stays silent is skipped

# Failures on the way, and what parsing raises for an answer that is not etcd's.
_FAULTS = (
    *(etcd.EtcdException, urllib3.exceptions.HTTPError, OSError),
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
)


class Missing(Exception):
    """There is no such key."""


class Differs(Exception):
    """Compare-and-swap failed: the key has changed."""


class WrongKind(Exception):
    """A folder is in the place of a document, or the other way round."""


class Cleared(Exception):
    """etcd has forgotten the events asked for: it keeps the last 1,000."""


class Unsent(Exception):
    """The member was not reached: it has certainly done nothing."""


class Unanswered(Exception):
    """The member was reached, and may have carried out the request or may still do so."""


class Node(NamedTuple):
    """A key as read."""

    key: str
    value: str | None  # None for a folder
    modified_index: int
    nodes: tuple["Node", ...]  # the content of a folder, all levels if the read was recursive
    etcd_index: int  # the newest change of any key that this answer may show

    def leaves(self):
        """Yield every key with a value, itself included."""
        if self.value is not None:
            yield self
        for node in self.nodes:
            yield from node.leaves()


class Event(NamedTuple):
    action: str  # set, create, update, compareAndSwap, delete, compareAndDelete, expire
    value: str | None
    modified_index: int


class Member(etcd.Client):
    """The member of the cluster at `url`; each call sends one request."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        super().__init__(parts.hostname, parts.port or 2379, protocol=parts.scheme, allow_redirect=False)
        self.url = self._base_uri = url.rstrip("/")
        self.http = urllib3.PoolManager(maxsize=8, retries=False, ssl_context=context)

    def _check_cluster_id(self, response) -> None:
        """Ignore the header: the parent reads it by a method that urllib3 2.6.0 removed."""

    def ask(self, method: str, key: str, seconds: float = ANSWER, **params) -> Node:
        """Send one request about `key`. Raises the exceptions of this module."""
        limit = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
        try:
            response = self.api_execute(self.key_endpoint + key, method, params=params, timeout=limit)
            return _node(json.loads(response.data)["node"], int(response.headers.get("x-etcd-index", 0)))
        except _FAULTS as error:
            raise _plain(error) from error

    def first_event(self, key: str, index: int, seconds: float, recursive: bool = False) -> Event | None:
        """The first event about `key` from `index` on, past or to come within `seconds`; None without one."""
        limit = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
        params = {"wait": "true", "waitIndex": index, **({"recursive": "true"} if recursive else {})}
        try:
            data = json.loads(self.api_execute(self.key_endpoint + key, self._MGET, params, limit).data)
            return Event(data["action"], data["node"].get("value"), data["node"]["modifiedIndex"])
        except _FAULTS as error:
            if _is_silence(error):
                return None
            raise _plain(error) from error

    def get_json(self, path: str, seconds: float = ANSWER):
        """The content of an endpoint other than the keys. Raises the exceptions of this module."""
        try:
            limit = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
            return json.loads(self.http.request("GET", self.url + path, timeout=limit).data)
        except _FAULTS as error:
            raise _plain(error) from error


def _node(data: dict, etcd_index: int) -> Node:
    nodes = tuple(_node(child, etcd_index) for child in data.get("nodes") or ())
    value = None if data.get("dir") else data.get("value", "")
    return Node(data.get("key", "/"), value, data.get("modifiedIndex", 0), nodes, etcd_index)


def _is_silence(error: BaseException) -> bool:
    """Whether a watch ended because no event came."""
    if isinstance(error, etcd.EtcdWatchTimedOut):
        return True
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, ConnectTimeoutError):
        return False
    return isinstance(cause, (ReadTimeoutError, TimeoutError)) or (
        isinstance(cause, (SSLError, ssl.SSLError)) and "timed out" in str(cause)
    )


_CODES = {
    **{100: Missing, 101: Differs, 105: Differs, 401: Cleared},
    **{102: WrongKind, 104: WrongKind, 108: WrongKind},
}


def _plain(error: BaseException) -> Exception:
    """The exception of this module that corresponds to `error`."""
    code = (getattr(error, "payload", None) or {}).get("errorCode")
    if code in _CODES:
        return _CODES[code](str(error))
    if isinstance(error, etcd.EtcdException) and not isinstance(error, etcd.EtcdConnectionFailed):
        return Unanswered(_refusal(error))
    cause = getattr(error, "cause", None) or error
    reason = _reason(cause)
    return Unsent(reason) if _was_not_sent(cause) else Unanswered(reason)


def _refusal(error: etcd.EtcdException) -> str:
    payload = error.payload or {}
    cause = str(payload.get("cause") or "")
    if "404 page not found" in cause:
        return "it serves no v2 API: start it with --enable-v2"
    if payload.get("status") in (401, 403) or payload.get("errorCode") == 110:
        return "it refuses access"
    return cause.strip()[:80] or str(error)[:80]


def _was_not_sent(cause: BaseException) -> bool:
    if isinstance(cause, (ConnectTimeoutError, ConnectionRefusedError)):
        return True
    refused = (
        "CERTIFICATE_VERIFY_FAILED",
        "WRONG_VERSION_NUMBER",
        " alert ",
    )  # the server's certificate, or the client's
    return isinstance(cause, (SSLError, ssl.SSLError)) and any(word in str(cause) for word in refused)


def _reason(cause: BaseException) -> str:
    """Why there was no answer, in a few words."""
    text = str(cause)
    if isinstance(cause, (SSLError, ssl.SSLError)) and "timed out" not in text:
        inner = text.partition("CERTIFICATE_VERIFY_FAILED] ")[2] or text
        return "TLS: " + inner.partition(" (_ssl")[0][:80]
    for phrase in ("Connection refused", "timed out", "Name or service not known", "No route to host"):
        if phrase in text:
            return phrase[:1].lower() + phrase[1:]
    return "timed out" if isinstance(cause, TimeoutError) else (text or type(cause).__name__)[:80]


def tls_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Verify the server with `ca` (default: the system's CAs), present `cert`. Raises errors.BadConfig."""
    part = ca
    try:
        context = ssl.create_default_context(cafile=ca or None)
        part = f"{cert} with {key}" if key else cert
        if cert:
            context.load_cert_chain(cert, key or None)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "strerror", None) or error
        raise errors.BadConfig(f"the etcd certificate {part} cannot be used: {why}") from None
    return context
