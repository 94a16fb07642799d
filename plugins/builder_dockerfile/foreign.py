"""Refuse a build on the image of another app: its layers hold that app's files."""

import json
import re
import subprocess

from minipaas_lib import api
from plugins.builder_dockerfile import downloads, frontend, sources
from plugins.builder_dockerfile.client import Client
from plugins.builder_dockerfile.job import Job

_MOST = 200  # images that one Dockerfile may name
# What BuildKit prints, after "#<n> ", when it loads an image, with the name that it resolved.
_TAKES_UP = re.compile(
    r"#\d+ (?:\[[^\]]*\] )?(?:load metadata for|FROM|resolve image config for|docker-image://)\s*"
    r"(?:docker-image://)?([^\s@]+(?:@\S+)?)"
)


class Watch:
    """Checks the base images of a build: before it, from its Dockerfile, and when BuildKit loads images."""

    def __init__(self, client: Client, job: Job) -> None:
        self._client, self._job = client, job
        self._seen: set[str] = set()

    def before(self) -> None:
        """Raises errors.BuildFailed for another app's image, and for a frontend that is not docker's."""
        _check_frontend(self._job.source.syntax)
        downloads.check(self._job.text, self._job.args)
        named = sources.references(self._job.text, self._job.args)
        if len(named) > _MOST:
            raise api.errors.BuildFailed(
                f"the Dockerfile names {len(named)} images; the limit is {_MOST}", "name fewer"
            )
        for reference in named:
            self._look("" if "$" in reference else reference, reference)

    def line(self, line: str) -> None:
        """A line of BuildKit's output, with nothing hidden or cut yet. Raises errors.BuildFailed as before()."""
        if found := _TAKES_UP.match(line):
            self._look(found[1], found[1])

    def _look(self, reference: str, shown: str) -> None:
        if not reference:
            if not self._client.buildkit:  # BuildKit tells later what it has found the name to be
                said = f"it is not clear which image {api.names.safe(shown)} is"
                raise api.errors.BuildFailed(said, "give the variable a default: ARG NAME=value before the first FROM")
            return
        if reference in self._seen or reference == "scratch":
            return
        self._seen.add(reference)
        if owner := api.kernel.image.named_app(reference):
            api.check_image_owner(self._app, owner)
            self._must_be_here(reference.removeprefix("docker-image://"), owner)
            return
        self._look_inside(reference)

    def _must_be_here(self, reference: str, owner: str) -> None:
        """Refuse a missing minipaas image: docker would look in a registry, where anybody may have the name."""
        if inspect(self._client, reference):
            return
        app = self._app.name
        renamed = f"{owner} was renamed to {app}, and so were its images: FROM minipaas/{app}:..."
        hint = (
            renamed if api.kernel.renamed_to(owner) == app else f"builds:list {owner}, or: use an image of a registry"
        )
        raise api.errors.BuildFailed(f"the image {api.names.safe(reference)[1:-1]} is not on this host", hint)

    def _look_inside(self, reference: str) -> None:
        """Check the owner in the image's label, whatever its name, and the images that its triggers name."""
        image = inspect(self._client, reference)
        config = (image or {}).get("Config") or {}
        if owner := api.kernel.image.owner(reference, config):
            api.check_image_owner(self._app, owner)
        elif image and sources.is_id(reference) and reference.removeprefix("sha256:") in image.get("Id", ""):
            said = f"{api.names.safe(reference)} is the ID of an image, which may belong to another app"
            raise api.errors.BuildFailed(said, "name an image in FROM")
        for trigger in sources.triggers(config.get("OnBuild") or []):
            self._look(trigger, trigger)

    @property
    def _app(self):
        return api.app(self._job.app)


def _check_frontend(syntax: str) -> None:
    """Raises errors.BuildFailed for a program that may not read a Dockerfile here."""
    hint = "write instead, or remove it: # syntax=docker/dockerfile:1"
    if syntax and not frontend.is_dockers(syntax):
        said = (
            f"the syntax line of the Dockerfile names {api.names.safe(syntax)}; only docker/dockerfile and its tags "
            "are allowed"
        )
        raise api.errors.BuildFailed(said, hint)
    if syntax and not frontend.is_recent(syntax):
        said = (
            f"the syntax line of the Dockerfile names {api.names.safe(syntax)}, which does not keep the cache mounts "
            "of apps apart"
        )
        raise api.errors.BuildFailed(said, hint)


def inspect(client: Client, reference: str) -> dict | None:
    """What docker knows of an image that is on this host, or None."""
    command = [client.path, "image", "inspect", "--format", "{{json .}}", "--", reference]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except (subprocess.TimeoutExpired, ValueError):
        raise api.errors.Unavailable("docker does not answer", "doctor") from None
    return json.loads(done.stdout) if done.returncode == 0 else None
