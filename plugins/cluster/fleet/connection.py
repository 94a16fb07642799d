"""One HTTP exchange with a fleet daemon, over its unix socket or TCP, with an end to every wait."""

import re

from minipaas_lib import api

CONNECT_TIMEOUT = 3.0  # seconds; a lost node must not hold a command up when another node can answer
ANSWER_TIMEOUT = 15.0  # seconds for the whole answer; fleet itself gives up on each read of etcd after 1 to 3
IMPATIENT = 5.0  # ... while there is another endpoint to ask: a frozen node accepts connections and says nothing
ANSWER_LIMIT = 64 * 1024 * 1024  # bytes; a page of 100 units is some 400 KB
DEFAULT_SOCKET = "unix:///var/run/fleet.sock"

_HOST = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"


class NoAnswer(Exception):
    """The daemon at one endpoint gave no whole answer; its text says why, to be put after the endpoint's name."""


def endpoints(text: str) -> list[str]:
    """The endpoints in `unix:///var/run/fleet.sock` or `http://10.0.0.1:49153,http://10.0.0.2:49153`, in order.

    Raises errors.UsageError.
    """
    addresses = [endpoint(part.strip()) for part in text.split(",") if part.strip()]
    if not addresses:
        raise api.errors.UsageError("no address of fleet is given", f"give one such as: {DEFAULT_SOCKET}")
    return list(dict.fromkeys(addresses))


def endpoint(text: str) -> str:
    """One endpoint, unchanged but for a slash at its end. Raises errors.UsageError."""
    if re.fullmatch(r"unix://(/[^\0\n\r]{1,100})", text):
        return text
    match = re.fullmatch(rf"http://({_HOST}):([0-9]{{1,5}})/?", text)
    if match and 0 < int(match[3]) < 65536:
        return text.rstrip("/")
    raise api.errors.UsageError(
        f"{api.names.safe(text)} is not an address of fleet",
        f"give one such as {DEFAULT_SOCKET} or http://10.0.0.1:49153",
    )


def exchange(
    where: str, method: str, path: str, body: bytes | None = None, timeout: float = ANSWER_TIMEOUT
) -> tuple[int, bytes]:
    """Send one request to the endpoint `where`; the status and the body of its answer, within `timeout` seconds.

    Raises NoAnswer.

    Every exchange has a connection of its own: fleet's handlers can panic and close it, and a kept connection would
    then fail the next request, which is not to blame.
    """
    import http.client
    import time

    end = time.monotonic() + timeout
    headers = {"Host": "fleet", "Connection": "close"}
    if body is not None:
        headers["Content-Type"] = "application/json"  # without it fleet answers 415
    connection = http.client.HTTPConnection("fleet")
    try:
        sock = connection.sock = _connect(where)  # the connection forgets it when the daemon says that it will close
        sock.settimeout(timeout)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, _whole(answer, sock, end)
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(_reason(error, timeout)) from error
    finally:
        connection.close()


def _connect(where: str):
    import socket

    if where.startswith("unix://"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(CONNECT_TIMEOUT)
        try:
            sock.connect(where.removeprefix("unix://"))
        except BaseException:
            sock.close()
            raise
        return sock
    host, _, port = where.removeprefix("http://").rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT)


def _whole(answer, sock, end: float) -> bytes:
    """All of the body, unless it does not end in time or in size."""
    import time

    pieces, size = [], 0
    while piece := answer.read1(65536):
        pieces.append(piece)
        size += len(piece)
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if size > ANSWER_LIMIT:
            raise NoAnswer(f"its answer is larger than {ANSWER_LIMIT // 1024 // 1024} MiB")
        if sock.fileno() >= 0:
            sock.settimeout(left)
    if answer.length:
        raise NoAnswer("its answer breaks off")
    return b"".join(pieces)


def _reason(error: Exception, timeout: float) -> str:
    import http.client

    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer breaks off"
    if isinstance(error, TimeoutError):
        return f"it does not answer within {timeout:.0f} seconds"
    if isinstance(error, FileNotFoundError):
        return "its socket is not there"
    if isinstance(error, ConnectionRefusedError):
        return "it is not running"
    if isinstance(error, PermissionError):
        return "this user may not use its socket"
    if isinstance(error, http.client.HTTPException):
        return "what answers there is not fleet"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:200]
