"""The output of containers, past and to come."""

import contextlib
from collections.abc import Callable, Iterator

from minipaas_lib import api
from plugins.scheduler_docker import client, containers, streams


def last(daemon: client.Daemon, process: "api.Process", lines: int | None) -> list["api.LogLine"]:
    """The last `lines` lines (None: all) of a process, oldest first; none of one that is gone."""
    import docker.errors

    if lines == 0:
        return []
    pieces = None if lines is None else lines + 1
    with client.answering():
        try:
            while True:
                frames = list(_kept(daemon.connect(), process, pieces))
                whole = [api.LogLine(process, time, text) for time, text in streams.lines(frames)]
                # Docker counts the pieces of a long line as lines, so the first of these may be the rest of one.
                if lines is None or pieces is None:
                    return whole
                if len(frames) < pieces:
                    return whole[-lines:]
                if len(whole) > lines:
                    return whole[-lines:]
                pieces *= 4
        except docker.errors.NotFound:
            return []
        except docker.errors.APIError as error:
            raise api.errors.Unavailable(
                f"docker cannot read the log of {process.name}: {containers.reason(client.explanation(error))}",
                "doctor",
            ) from error


def _kept(docker_api, process: "api.Process", pieces: int | None):
    """The output of a process that docker has kept, or its last pieces."""
    tail = "all" if pieces is None else pieces
    return docker_api.logs(process.id or process.name, stream=True, follow=False, timestamps=True, tail=tail)


def _history(daemon: client.Daemon, process: "api.Process", lines: int | None) -> tuple[list["api.LogLine"], str]:
    """The last lines of a process, and the time of the last, after which new ones come; empty if there is none."""
    present = last(daemon, process, lines or (None if lines is None else 1))
    return present if lines != 0 else [], present[-1].time if present else ""


def stream(daemon: client.Daemon, process: "api.Process", lines: int | None) -> Iterator["api.LogLine"]:
    """The last lines of a process, then new ones as they come, until it ends; none of one that is gone."""
    import docker.errors

    history, after = _history(daemon, process, lines)
    yield from history
    with client.answering(), contextlib.suppress(docker.errors.NotFound):
        yield from _new_lines(daemon, process, after)


def follow(scheduler, app: str, lines: int, wanted: Callable[["api.Process"], bool]) -> Iterator["api.LogLine"]:
    """The last lines of each wanted process of the app, merged by time, then new ones as they come. Endless.

    Needs gevent's patches: each container has a greenlet that reads its stream, and one more hears of new containers.
    Raises errors.Unavailable if docker goes away.
    """
    from gevent.pool import Group
    from gevent.queue import Queue

    lines_to_come: Queue = Queue(maxsize=1000)  # a slow reader holds the readers back, not the memory
    seen: dict[str, str] = {}  # container id -> time of the last line passed on
    reading: set[str] = set()
    readers = Group()

    def read(process):
        for line in _new_lines(scheduler.daemon, process, seen.get(process.id, "")):
            seen[process.id] = line.time
            lines_to_come.put(line)

    def attend(process):
        if wanted(process) and process.id not in reading:
            reading.add(process.id)
            readers.spawn(_guarded, lines_to_come, lambda: read(process)).link(lambda _: reading.discard(process.id))

    def hear():
        for event in started:
            if not containers.is_process(event["Actor"]["Attributes"]):
                continue
            attend(scheduler.refresh(_named(event)))
        raise api.errors.Unavailable("docker has stopped answering", "on the host: sudo systemctl status docker")

    # The events first: a container that starts while we look at the list is then in one of both.
    started = _starts(scheduler.daemon, app)
    try:
        present = [process for process in scheduler.processes(app) if wanted(process)]
        history = []
        for process in present:
            own, seen[process.id] = _history(scheduler.daemon, process, lines)
            history += own
        yield from sorted(history, key=lambda line: line.time)
        for process in present:
            attend(process)
        readers.spawn(_guarded, lines_to_come, hear)
        while True:
            line = lines_to_come.get()
            if isinstance(line, Exception):
                raise line
            yield line
    finally:
        readers.kill(block=False)


def _guarded(queue, function: Callable[[], None]) -> None:
    """Run a greenlet's work; its exceptions are raised where the lines are read."""
    import docker.errors

    try:
        with client.answering():
            function()
    except docker.errors.NotFound:
        pass  # the container is gone, and its output with it
    except docker.errors.APIError as error:
        queue.put(
            api.errors.Unavailable("docker cannot read logs: " + containers.reason(client.explanation(error)), "doctor")
        )
    except Exception as error:
        queue.put(error)


def _new_lines(daemon: client.Daemon, process: "api.Process", after: str) -> Iterator["api.LogLine"]:
    """The lines of a process after the time `after`, until its container stops."""
    docker_api = daemon.new()
    try:
        # Docker takes whole seconds here without loss of precision; what was seen of that second is left out.
        since = {"since": _seconds(after)} if after else {}
        for time, text in streams.lines(_endless(docker_api, process, since)):
            if time > after:
                yield api.LogLine(process, time, text)
    finally:
        docker_api.close()


def _endless(docker_api, process: "api.Process", since: dict):
    docker_api.timeout = None  # an app may be silent for days
    return docker_api.logs(process.id or process.name, stream=True, follow=True, timestamps=True, **since)


def _seconds(time: str) -> int:
    """Seconds since 1970 of docker's RFC 3339 time, rounded down."""
    import calendar

    return calendar.timegm(tuple(int(time[a:b]) for a, b in ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))))


def _starts(daemon: client.Daemon, app: str):
    """Docker's events about containers of the app that start."""
    docker_api = daemon.new()
    docker_api.timeout = None
    with client.answering():
        return docker_api.events(
            decode=True, filters={"type": "container", "event": "start", "label": f"{containers.APP}={app}"}
        )


def changes(daemon: client.Daemon) -> Iterator[str]:
    """The app of each process that starts, ends or is removed, as it does. Raises errors.Unavailable at the end."""
    docker_api = daemon.new()
    docker_api.timeout = None
    kinds = {"type": "container", "event": ["start", "die", "destroy"], "label": containers.APP}
    with client.answering():
        for event in docker_api.events(decode=True, filters=kinds):
            if containers.is_process(event["Actor"]["Attributes"]):
                yield event["Actor"]["Attributes"][containers.APP]
    raise api.errors.Unavailable("docker has stopped answering", "on the host: sudo systemctl status docker")


def _named(event: dict) -> "api.Process":
    labels = event["Actor"]["Attributes"]
    return api.Process(
        name=labels["name"],
        app=labels[containers.APP],
        release=int(labels[containers.RELEASE]),
        process_type=labels[containers.PROCESS],
        index=int(labels[containers.INDEX]),
        id=event["Actor"]["ID"],
    )
