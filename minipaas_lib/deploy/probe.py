"""One attempt of a check on a running process. Functions return what is wrong in a few words, or ""."""

import socket
import threading
from collections.abc import Callable

from minipaas_lib import errors, names
from minipaas_lib.bus.engines import Scheduler
from minipaas_lib.model.healthcheck import Check
from minipaas_lib.model.process import Process
from minipaas_lib.model.route import Backend

REFUSED = "the connection was refused"
BODY_LIMIT = 1 << 20  # bytes of an answer that are searched
REDIRECTS = 5


def attempt(scheduler: Scheduler, process: Process, check: Check, port: int, host: str) -> str:
    """Try a check once, without its timeout; `host` is the Host header of an HTTP request."""
    if check.kind == "command":
        return command(scheduler, process, check)
    if check.kind == "listening":
        return "" if accepts(process.backend, port) else f"nothing accepts connections on port {port}"
    return request(process, check, port, host)


def in_time(function: Callable[[], str], seconds: float, cut_short: Callable[[], bool]) -> str:
    """The result of `function`, or that it took longer than `seconds`. `cut_short` ends the wait early.

    It runs in a thread that is abandoned afterwards: neither a socket nor a docker exec reliably ends in time.
    """
    answers: list[str] = []

    def work() -> None:
        try:
            answers.append(function())
        except errors.MinipaasError as error:
            answers.append(error.message)
        except Exception as error:
            answers.append(f"{type(error).__name__}: {error}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    waited = 0.0
    while thread.is_alive() and waited < seconds and not cut_short():
        step = min(0.2, seconds - waited)
        thread.join(step)
        waited += step
    return answers[0] if answers else f"no answer within {seconds:g} s"


def accepts(backend: Backend, port: int, timeout: float = 1) -> bool:
    """Whether a TCP connection to the container port is accepted now."""
    try:
        with socket.create_connection((backend.address, backend.at(port)), timeout=timeout):
            return True
    except OSError:
        return False


def command(scheduler: Scheduler, process: Process, check: Check) -> str:
    """Run the check's command inside the process's container."""
    code, printed = scheduler.probe(process, list(check.command), check.timeout)
    if code == 0:
        return ""
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return f"exit code {code}" + (f": {names.safe(lines[-1][:200])}" if lines else "")


def request(process: Process, check: Check, port: int, host: str) -> str:
    """GET the path. Follows redirects to the process itself."""
    path, address, port = check.path, process.address, process.backend.at(port)
    for _ in range(REDIRECTS):
        try:
            status, place, body = get(address, port, check, path, host)
        except ConnectionRefusedError:
            return REFUSED
        except Exception as error:  # http.client raises more than OSError for what is not HTTP
            return f"GET {path} failed: {names.safe(str(error) or type(error).__name__)}"
        target = local_path(place, host, address, port, check.scheme) if 300 <= status < 400 else None
        if target:
            path = target
            continue
        if not 200 <= status < 300:
            return f"GET {path} answered {status}" + (f", to {names.safe(place[:200])}" if place else "")
        if check.content and check.content.encode() not in body:
            return f"GET {path} answered {status} without {names.safe(check.content[:100])}"
        return ""
    return f"GET {check.path} was redirected more than {REDIRECTS} times"


def get(address: str, port: int, check: Check, path: str, host: str) -> tuple[int, str, bytes]:
    """One request: status, Location and the start of the body. Raises OSError or http.client.HTTPException."""
    import http.client

    if check.scheme == "https":
        import ssl

        # The certificate is for the domain, but the request goes to an address of minipaas' own network.
        context = ssl._create_unverified_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address, port, timeout=check.timeout, context=context
        )
    else:
        connection = http.client.HTTPConnection(address, port, timeout=check.timeout)
    headers = {"Host": host, "User-Agent": "minipaas", "Connection": "close"}
    for name, value in check.headers:
        headers = {key: old for key, old in headers.items() if key.lower() != name.lower()} | {name: value}
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read(BODY_LIMIT) if check.content else b""
    finally:
        connection.close()


def local_path(place: str, host: str, address: str, port: int, scheme: str) -> str | None:
    """The path of a Location on this very process; None if it leads elsewhere."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(place)
    except ValueError:
        return None
    same = parts.netloc in ("", host, f"{host}:{port}", f"{address}:{port}") and parts.scheme in ("", scheme)
    if not place or not same or not parts.path.startswith("/"):
        return None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if path.isascii() and path.isprintable() and " " not in path else None
