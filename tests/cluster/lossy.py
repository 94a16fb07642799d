"""A TCP relay before a server that now and then takes a request to it and keeps the answer to itself."""

import contextlib
import random
import socket
import threading


class Lossy:
    """Use as a context manager; `url` is where it listens. `loses` is the share of requests whose answer is lost."""

    def __init__(self, target: str, loses: float, seed: int) -> None:
        host, _, port = target.partition("//")[2].rpartition(":")
        self._target, self.loses, self._random = (host, int(port)), loses, random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lost = 0

    def __enter__(self) -> "Lossy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        """One connection: each request goes there whole, its answer comes back or the connection is cut instead."""
        with client, contextlib.suppress(OSError), socket.create_connection(self._target, 10) as server:
            server.settimeout(30)
            while request := self._message(client):
                server.sendall(request)
                answer = self._message(server)
                if b" /v2/keys/minipaas" in request[:60] and self._random.random() < self.loses:
                    self.lost += 1
                    return
                client.sendall(answer)

    @staticmethod
    def _message(source: socket.socket) -> bytes:
        """A whole HTTP message: its head, and as much more as that says."""
        data = b""
        while b"\r\n\r\n" not in data:
            part = source.recv(65536)
            if not part:
                return b""
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if fields.get(b"transfer-encoding") == b"chunked":
            while not body.endswith(b"0\r\n\r\n"):
                body += source.recv(65536)
        while len(body) < int(fields.get(b"content-length", 0)):
            body += source.recv(65536)
        return head + b"\r\n\r\n" + body
