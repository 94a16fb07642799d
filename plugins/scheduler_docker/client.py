"""The connection to docker, and the translation of its errors."""

import contextlib
import os
from typing import TYPE_CHECKING

from minipaas_lib import api

if TYPE_CHECKING:
    import docker.errors

TIMEOUT = 60  # seconds that docker may take for one answer


class Daemon:
    """One docker: this host's, or the one that answers at `url` (unix:///path)."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._clients: dict[int, object] = {}  # by process id: a child must not talk into its parent's connection

    def connect(self):
        """The low-level client of the docker SDK, connected when first called. Raises errors.Unavailable."""
        if os.getpid() not in self._clients:
            with answering():
                self._clients[os.getpid()] = self.new()
        return self._clients[os.getpid()]

    def new(self):
        """A separate client, for a stream that is read while the shared one is in use."""
        api.activate()
        import docker.utils

        where = {"base_url": self.url} if self.url else docker.utils.kwargs_from_env()
        return docker.APIClient(timeout=TIMEOUT, **where)

    @property
    def words(self) -> list[str]:
        """The arguments with which docker's own program connects to it."""
        return ["--host", self.url] if self.url else []


HERE = Daemon()


@contextlib.contextmanager
def answering():
    """Say it when docker is not there; its own errors about what was asked (docker.errors.APIError) pass."""
    api.activate()
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError:
        raise
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise unavailable(str(error)) from error


def unavailable(said: str) -> "api.errors.Unavailable":
    """The error for a docker that does not answer, from the SDK's exception."""
    if "Permission denied" in said:
        return api.errors.Unavailable(
            "docker does not answer: this user may not use it",
            "add the user to the group docker: usermod -aG docker paas",
        )
    if "FileNotFoundError" in said or "Connection refused" in said or "No such file" in said:
        return api.errors.Unavailable(
            "docker does not answer: it is not running", "on the host: sudo systemctl start docker"
        )
    if "timed out" in said.lower():
        return api.errors.Unavailable(
            f"docker does not answer: it took more than {TIMEOUT} seconds", "on the host: sudo systemctl status docker"
        )
    return api.errors.Unavailable("docker does not answer: " + " ".join(said.split())[:200], "doctor")


def is_missing(error: Exception) -> bool:
    """Whether docker's error says that there is no such container, image or network."""
    return getattr(error, "status_code", None) == 404


def explanation(error: "docker.errors.APIError") -> str:
    """Docker's own message in a docker.errors.APIError."""
    said = error.explanation or str(error)
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
