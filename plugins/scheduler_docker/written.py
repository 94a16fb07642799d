"""What a process has written: into the files of its image, and into volumes that only it has."""

import contextlib
import json
import re
import tarfile
import time

from minipaas_lib import api
from plugins.scheduler_docker import client

_CHANGES_LIMIT = 4 << 20  # bytes of docker's list that are read
_VOLUME_LIMIT = (
    4 << 20
)  # bytes of a volume's archive that are read: the headers of files that are not large, or the first large one
_VOLUMES = 10
_DELETED = 2  # docker's kind of a change
_ANONYMOUS = re.compile("[0-9a-f]{64}")


def of(daemon: client.Daemon, answer: dict, timeout: float) -> "api.Written":
    """See bus.engines.Scheduler.written; `answer` is of `GET /containers/{id}/json`.

    Raises errors.Unavailable, docker.errors.APIError.
    """
    deadline = time.monotonic() + timeout
    docker_api = daemon.new()
    docker_api.timeout = timeout
    try:
        with client.answering():
            changes = _changes(docker_api, answer["Id"], deadline)
            volumes = [
                mount["Destination"]
                for mount in (answer["Mounts"] or [])[:_VOLUMES]
                if mount.get("Type") == "volume"
                and _ANONYMOUS.fullmatch(mount.get("Name") or "")
                and time.monotonic() < deadline
                and _is_written(docker_api, answer["Id"], mount["Destination"], began(answer["Created"]), deadline)
            ]
        return api.Written(changes, tuple(volumes))
    finally:
        docker_api.close()


def began(created: str) -> float:
    """Docker's time as seconds since 1970."""
    import calendar

    return float(calendar.timegm(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")))


def _changes(docker_api, container: str, deadline: float) -> tuple[str, ...]:
    """The paths of what was added or changed, without folders that only contain such paths."""
    response = docker_api._get(docker_api._url("/containers/{0}/changes", container), stream=True)
    docker_api._raise_for_status(response)
    with contextlib.closing(response):
        paths = read_changes(_bounded(response.iter_content(1 << 16), _CHANGES_LIMIT, deadline))
    folders = {path.rpartition("/")[0] for path in paths}
    return tuple(path for path in paths if path not in folders)


def read_changes(data: bytes) -> list[str]:
    """The paths in docker's list of changes, which may be cut short. Pure."""
    text = data.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = json.loads(text[: text.rindex("},") + 1] + "]")
        except (ValueError, RecursionError):
            found = []
    return [entry["Path"] for entry in found or [] if entry.get("Kind") != _DELETED]


def _is_written(docker_api, container: str, folder: str, since: float, deadline: float) -> bool:
    """Whether a volume holds a file that is younger than the container: the others came with the image."""
    response = docker_api._get(
        docker_api._url("/containers/{0}/archive", container), params={"path": folder}, stream=True
    )
    docker_api._raise_for_status(response)
    with contextlib.closing(response):
        data = _bounded(response.iter_content(1 << 16), _VOLUME_LIMIT, deadline)
    return holds_newer(data, since)


def holds_newer(data: bytes, since: float) -> bool:
    """Whether the beginning of a tar archive names a file that was changed after that moment. Pure."""
    import io

    with contextlib.suppress(tarfile.TarError, EOFError, OSError, ValueError):
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                if entry.isreg() and entry.mtime >= since:
                    return True
    return False


def _bounded(pieces, limit: int, deadline: float) -> bytes:
    data = b""
    for piece in pieces:
        data += piece
        if len(data) >= limit or time.monotonic() > deadline:
            break
    return data[:limit]
