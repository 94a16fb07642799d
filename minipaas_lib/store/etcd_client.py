"""etcd's v2 keys over HTTP: the one module that knows python-etcd, and where its known faults are made good.

- It follows urllib3's defaults, which send a PUT again after a timeout. Here nothing is sent twice unasked.
- Its list of servers is one for reads and writes alike, asks dead ones again and again, and calls a silent server "no
  news" while watching. Here each member has a client of its own, and etcd_cluster chooses between them.
- It asks responses for getheader(), which urllib3 2.6.0 has not; it checks no certificate unless a CA is named.
- It says nothing that a person understands about a server without the v2 API ("404 page not found").
- Under gevent a socket's timeout reaches it as it is, not as urllib3's. Here both mean the same.
- It imports a DNS library for a lookup that is never made here, which is half of what it costs to load.

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

CONNECT = 1.5  # seconds until a member that does not take our connection is passed over
ANSWER = 2.0  # seconds until one that took it and stays silent is


# What goes wrong on the way, and what an answer does that is none of etcd's.
_FAULTS = (
    *(etcd.EtcdException, urllib3.exceptions.HTTPError, OSError),
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
)


class Missing(Exception):
    """There is no such key."""


class Differs(Exception):
    """The key is not as a compare-and-swap wants it."""


class WrongKind(Exception):
    """A folder is where a document was meant, or the other way round."""


class Cleared(Exception):
    """etcd has forgotten the events asked for: it keeps the last 1,000."""


class Unsent(Exception):
    """The member was not reached: it has surely done nothing."""


class Unanswered(Exception):
    """The member was reached, and may have done what was asked, or may yet do it."""


class Found(NamedTuple):
    """A key as read."""

    key: str
    value: str | None  # None for a folder
    modified_index: int
    nodes: tuple["Found", ...]  # what is in a folder, as deep as was asked for
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
    """One member of the cluster at `url`, asked once per call."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        super().__init__(parts.hostname, parts.port or 2379, protocol=parts.scheme, allow_redirect=False)
        self.url = self._base_uri = url.rstrip("/")
        self.http = urllib3.PoolManager(maxsize=8, retries=False, ssl_context=context)

    def _check_cluster_id(self, response) -> None:
        """Leave the header alone: the parent asks for it in a way that urllib3 2.6.0 has not."""

    def ask(self, method: str, key: str, seconds: float = ANSWER, **params) -> Found:
        """One request about `key`. Raises the exceptions of this module."""
        limit = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
        try:
            response = self.api_execute(self.key_endpoint + key, method, params=params, timeout=limit)
            return _found(json.loads(response.data)["node"], int(response.headers.get("x-etcd-index", 0)))
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
        """What a page of the server other than the keys says. Raises the exceptions of this module."""
        try:
            limit = urllib3.Timeout(connect=min(CONNECT, seconds), read=seconds)
            return json.loads(self.http.request("GET", self.url + path, timeout=limit).data)
        except _FAULTS as error:
            raise _plain(error) from error


def _found(node: dict, etcd_index: int) -> Found:
    nodes = tuple(_found(child, etcd_index) for child in node.get("nodes") or ())
    value = None if node.get("dir") else node.get("value", "")
    return Found(node.get("key", "/"), value, node.get("modifiedIndex", 0), nodes, etcd_index)


def _is_silence(error: BaseException) -> bool:
    """Whether a watching request ended because nothing came."""
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
    """The exception of this module that `error` amounts to."""
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
    refused = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", " alert ")  # the server's certificate, or ours
    return isinstance(cause, (SSLError, ssl.SSLError)) and any(word in str(cause) for word in refused)


def _reason(cause: BaseException) -> str:
    """In a few words, why there was no answer."""
    text = str(cause)
    if isinstance(cause, (SSLError, ssl.SSLError)) and "timed out" not in text:
        inner = text.partition("CERTIFICATE_VERIFY_FAILED] ")[2] or text
        return "TLS: " + inner.partition(" (_ssl")[0][:80]
    for said in ("Connection refused", "timed out", "Name or service not known", "No route to host"):
        if said in text:
            return said[:1].lower() + said[1:]
    return "timed out" if isinstance(cause, TimeoutError) else (text or type(cause).__name__)[:80]


def tls_context(ca: str, cert: str, key: str) -> ssl.SSLContext:
    """Check the server against `ca` (the system's without one) and show our certificate. Raises errors.BadConfig."""
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
