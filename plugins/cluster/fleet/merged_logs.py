"""Several endless streams of lines as one. Needs gevent's patches."""

from collections.abc import Iterator

from minipaas_lib import api


def merged(streams: list[Iterator]) -> Iterator:
    """The lines of all streams as they come. One that fails is told of and left out; the last failure is raised."""
    import gevent
    from gevent.queue import Queue

    lines: Queue = Queue(maxsize=1000)

    def read(stream) -> None:
        try:
            for line in stream:
                lines.put(line)
        except api.errors.MinipaasError as error:
            lines.put(error)

    readers = [gevent.spawn(read, stream) for stream in streams]
    left = len(readers)
    try:
        while True:
            line = lines.get()
            if isinstance(line, api.errors.MinipaasError):
                left -= 1
                if not left:
                    raise line
                api.output.warn(f"from here on the output of one node is missing: {line.message}")
                continue
            yield line
    finally:
        gevent.killall(readers, block=False)
