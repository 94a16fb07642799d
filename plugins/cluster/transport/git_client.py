"""The way to the git repositories of another head: what git runs to fetch from there."""

from minipaas_lib import api
from plugins.cluster.transport import protocol, tls

CONNECT_TIMEOUT = 5.0  # seconds


def reach(address: str, name: str) -> None:
    """Join our standard input and output to git on the head at that address. Raises errors.Unavailable."""
    import asyncio

    keys = api.kernel.documents.read(api.kernel.store(), protocol.keys_path("head"))
    try:
        asyncio.run(_join(address, name, tls.client_context(keys)))
    except (OSError, TimeoutError) as error:
        raise api.errors.Unavailable(f"the head at {address} cannot be reached: {error}", "cluster:status") from None


async def _join(address: str, name: str, context) -> None:
    import asyncio
    import sys

    opening = asyncio.open_connection(address, protocol.HEAD_PORT, ssl=context, server_hostname=protocol.AGENT)
    reader, writer = await asyncio.wait_for(opening, CONNECT_TIMEOUT)
    inside = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(inside), sys.stdin)

    async def outward() -> None:
        writer.write(name.encode() + b"\n")
        while data := await inside.read(protocol.CHUNK):
            writer.write(data)
            await writer.drain()

    async def inward() -> None:
        while data := await reader.read(protocol.CHUNK):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    parts = [asyncio.ensure_future(outward()), asyncio.ensure_future(inward())]
    await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)  # git has all it wanted, or there is no more
    for part in parts:
        part.cancel()
    writer.close()
