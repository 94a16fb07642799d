"""The docker of a node as a unix socket of this host, for the docker SDK and docker's own program alike.

The other end is the agent on the node; between them goes TLS in which both show certificates of the cluster. Every
piece has its length before it, and a length of 0 ends that direction: docker's attach ends stdin alone.
"""

import contextlib
import os
import ssl
import threading
from typing import TYPE_CHECKING

from minipaas_lib import api
from plugins.cluster.transport import protocol

if TYPE_CHECKING:
    import asyncio

CONNECT_TIMEOUT = 5.0  # seconds
ABSENT = 10.0  # seconds that an agent may be away, while its node is there: it takes three to start again


class Tunnels:
    """Sockets that lead to the dockers of nodes, made when first asked for; they end with this process."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._urls: dict[str, str] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._folder = ""
        self._attended: set = set()  # asyncio itself holds no task that waits for the far side after the near one's end

    def url(self, address: str) -> str:
        """The URL (unix:///path) of the docker at a node's IP address. Nothing is connected yet."""
        with self._lock:
            if address not in self._urls:
                self._urls[address] = self._listen(address)
            return self._urls[address]

    def _listen(self, address: str) -> str:
        import asyncio

        loop = self._loop or self._start()
        path = os.path.join(self._folder, f"{len(self._urls)}.sock")

        async def attend(reader, writer) -> None:
            task = asyncio.current_task()
            self._attended.add(task)
            try:
                await _join(reader, writer, address, self._tls)
            finally:
                self._attended.discard(task)

        asyncio.run_coroutine_threadsafe(asyncio.start_unix_server(attend, path), loop).result(CONNECT_TIMEOUT)
        return "unix://" + path

    def _start(self) -> "asyncio.AbstractEventLoop":
        import asyncio

        self._folder = os.path.join(_place(), str(os.getpid()))
        os.makedirs(self._folder, mode=0o700, exist_ok=True)  # its sockets are root's on the nodes
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        return self._loop


def _place() -> str:
    """The folder of all processes' sockets, less what processes left that have ended."""
    place = api.paths.cache("nodes")
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(place):
            if not os.path.exists(f"/proc/{name}"):
                api.kernel.folders.remove(os.path.join(place, name))
    return place


async def _join(reader, writer, address: str, tls: ssl.SSLContext) -> None:
    """Join a local connection to the agent at `address` until both directions have ended."""
    import asyncio

    far = None
    try:
        far_reader, far = await _open(address, tls)
        back = asyncio.ensure_future(_inward(far_reader, writer))
        try:
            await asyncio.gather(back, _outward(reader, far))
        finally:
            back.cancel()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, ConnectionError):
        pass  # whoever asked sees the end of the connection
    finally:
        for one in (writer, far):
            if one is not None:
                with contextlib.suppress(OSError, RuntimeError):
                    one.close()


async def _open(address: str, tls: ssl.SSLContext):
    """A connection to the agent at `address`. One that is starting again is waited for. Raises OSError."""
    import asyncio

    end = asyncio.get_running_loop().time() + ABSENT
    while True:
        try:
            opening = asyncio.open_connection(address, protocol.AGENT_PORT, ssl=tls, server_hostname=protocol.AGENT)
            return await asyncio.wait_for(opening, CONNECT_TIMEOUT)
        except ConnectionRefusedError:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.2)


async def _outward(reader, far) -> None:
    while data := await reader.read(protocol.CHUNK):
        far.write(protocol.frame(data))
        await far.drain()
    far.write(protocol.END)
    await far.drain()


async def _inward(far_reader, writer) -> None:
    while size := int.from_bytes(await far_reader.readexactly(protocol.LENGTH)):
        while size:
            part = await far_reader.read(min(size, protocol.CHUNK))
            if not part:
                raise OSError("cut short")
            writer.write(part)
            await writer.drain()
            size -= len(part)
    if writer.can_write_eof():
        writer.write_eof()
