"""etcd's v2 keys, as much of them as fleet uses: over HTTP, and in memory for tests without etcd."""

import http.client
import json
import math
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field


class Missing(Exception):
    """There is no such key."""


class Refused(Exception):
    """The key exists, or is not what the caller compared it with."""


class Lost(Exception):
    """etcd does not answer, or has no quorum."""


@dataclass
class Node:
    key: str
    value: str = ""
    index: int = 0  # modifiedIndex
    nodes: list["Node"] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    def child(self, name: str) -> str:
        """The value of the key of that name in this directory; "" if there is none."""
        return next((node.value for node in self.nodes if node.name == name), "")


class Etcd:
    """The first of `servers` that answers within `timeout` seconds each."""

    def __init__(self, servers: list[str], timeout: float) -> None:
        self.servers, self.timeout = servers, timeout

    def get(self, key: str, recursive: bool = False, quorum: bool = False) -> Node:
        answer = self._ask("GET", key, {"sorted": "true", "recursive": _bool(recursive), "quorum": _bool(quorum)})
        return _node(answer["node"])

    def set(self, key: str, value: str, ttl: float = 0, exists: bool | None = None, index: int = 0) -> int:
        """Write a key; its index. `exists`: only if it does, or does not; `index`: only if it is the key's."""
        query = {} if exists is None else {"prevExist": _bool(exists)}
        if index:
            query["prevIndex"] = str(index)
        form = {"value": value} | ({"ttl": str(math.ceil(ttl))} if ttl else {})
        return self._ask("PUT", key, query, form)["node"]["modifiedIndex"]

    def delete(self, key: str, recursive: bool = False, value: str | None = None, index: int = 0) -> None:
        query = {"recursive": _bool(recursive), "dir": _bool(recursive)}
        if value is not None:
            query["prevValue"] = value
        if index:
            query["prevIndex"] = str(index)
        self._ask("DELETE", key, query)

    def watch(self, key: str) -> str:
        """Wait for the next change below `key`; the key that changed. Raises Lost after a while without any."""
        return self._ask("GET", key, {"wait": "true", "recursive": "true"}, timeout=60)["node"]["key"]

    def _ask(self, method: str, key: str, query: dict, form: dict | None = None, timeout: float = 0) -> dict:
        path = "/v2/keys" + urllib.parse.quote(key) + "?" + urllib.parse.urlencode(query)
        for server in self.servers:
            host = server.split("//")[1]
            connection = http.client.HTTPConnection(host, timeout=timeout or self.timeout)
            try:
                headers = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
                connection.request(method, path, urllib.parse.urlencode(form) if form else None, headers)
                answer = connection.getresponse()
                status, body = answer.status, json.loads(answer.read() or b"{}")
            except (OSError, http.client.HTTPException, ValueError):
                continue
            finally:
                connection.close()
            if status in (200, 201):
                return body
            code = body.get("errorCode")
            if code == 100:
                raise Missing(key)
            if code in (101, 105):
                raise Refused(key)
        raise Lost(key)


class Memory:
    """The same in memory, with the time of `clock`. `lost` makes it an etcd that does not answer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.lost = clock, False
        self._keys: dict[str, tuple[str, int, float]] = {}  # value, index, when it ends
        self._index = 0
        self._lock = threading.RLock()

    def get(self, key: str, recursive: bool = False, quorum: bool = False) -> Node:
        with self._lock:
            self._live()
            if key in self._keys:
                return Node(key, *self._keys[key][:2])
            if not any(other.startswith(key + "/") for other in self._keys):
                raise Missing(key)
            return self._folder(key)

    def set(self, key: str, value: str, ttl: float = 0, exists: bool | None = None, index: int = 0) -> int:
        with self._lock:
            self._live()
            if exists is False and key in self._keys:
                raise Refused(key)
            if (exists or index) and key not in self._keys:
                raise Missing(key)
            if index and self._keys[key][1] != index:
                raise Refused(key)
            self._index += 1
            self._keys[key] = (value, self._index, self.clock() + ttl if ttl else math.inf)
            return self._index

    def delete(self, key: str, recursive: bool = False, value: str | None = None, index: int = 0) -> None:
        with self._lock:
            self._live()
            found = [other for other in self._keys if other == key or (recursive and other.startswith(key + "/"))]
            if not found:
                raise Missing(key)
            if (value is not None and self._keys[key][0] != value) or (index and self._keys[key][1] != index):
                raise Refused(key)
            for other in found:
                del self._keys[other]

    def watch(self, key: str) -> str:
        raise Lost(key)

    def _folder(self, key: str) -> Node:
        folder = Node(key)
        for name in sorted(
            {other[len(key) + 1 :].split("/")[0] for other in self._keys if other.startswith(key + "/")}
        ):
            child = f"{key}/{name}"
            folder.nodes.append(Node(child, *self._keys[child][:2]) if child in self._keys else self._folder(child))
        return folder

    def _live(self) -> None:
        if self.lost:
            raise Lost
        now = self.clock()
        self._keys = {key: entry for key, entry in self._keys.items() if entry[2] > now}


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _node(found: dict) -> Node:
    nodes = [_node(inner) for inner in found.get("nodes", [])]
    return Node(found["key"], found.get("value", ""), found.get("modifiedIndex", 0), nodes)
