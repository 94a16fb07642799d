"""Pull or find an image by its name, and tag it as an image of the app."""

import contextlib

from minipaas_lib import api
from plugins.builder_image import docker
from plugins.builder_image.mark import Mark


def settings_folder(app: "api.App") -> str:
    """The folder with the registries that the app is logged in to; empty if there is none."""
    return api.call_first("docker_config", app=app) or ""


def own_name(app: str) -> str:
    """The name that an image has on its way to the release that will name it; no release is v0."""
    return f"minipaas/{app}:v0"


def refuse_ours(app: str, name: str) -> None:
    """Refuse to bring an image under a name that builds of this host give. Raises errors.UsageError."""
    if api.kernel.image.named_app(name):
        said = f"{name} cannot come from elsewhere: names with minipaas/ are reserved for images built here"
        raise api.errors.UsageError(
            said, f"give it another name such as {app}:1 with docker tag, then: git:load-image {app} {app}:1"
        )


@contextlib.contextmanager
def named(own: str):
    """Inside, an image may have the name `own`; then it is taken away."""
    try:
        yield
    finally:
        docker.untag(own)


@contextlib.contextmanager
def obtained(app: "api.App", name: str):
    """The Mark of the image `name`, got anew where its registry can be asked; inside, it has a name of the app's own.

    A name that this host did not have before is gone again afterwards. A registry is not asked for a name that builds
    of this host give: there it would be a stranger's. Raises errors.BuildFailed.
    """
    before = docker.inspect(name)
    ours = api.kernel.image.named_app(name)
    why = "it is not on this host" if ours else _pull(app, name)
    if why and before is None:
        server = name.partition("/")[0]
        server = server if {".", ":"} & {*server} and "/" in name else "docker.io"
        login = f"check the name, or: registry:login {app.name} <server> <user>"
        hint = (
            f"builds:list {api.kernel.image.named_app(name)}"
            if ours
            else api.kernel.downloads.by_docker(why, server) or login
        )
        raise api.errors.BuildFailed(f"the image {name} cannot be pulled: {why}", hint)
    if why and not ours:
        api.output.warn(f"{name} cannot be pulled ({why}): using the image of that name on this host")
    try:
        found = before if why else docker.inspect(name)
        if found is None:
            raise api.errors.Unavailable(
                f"docker does not know the image {name} that it has just pulled",
                "if another command pruned images, repeat this one",
            )
        if why:  # what a registry gives is the app's to have, whoever built it
            check_owner(app, name, found)
        with named(own_name(app.name)):
            docker.tag(found["Id"], own_name(app.name))
            yield Mark(name, found["Id"], _digest(name, found))
    finally:
        if before is None:
            docker.untag(name)


def _pull(app: "api.App", name: str) -> str:
    api.output.step(f"Pulling {name}")
    return docker.pull(name, settings_folder(app))


def _digest(name: str, found: dict) -> str:
    """The reference by which a registry gives exactly this image."""
    repository = repository_of(name)
    return next((digest for digest in found.get("RepoDigests") or [] if digest.partition("@")[0] == repository), "")


def repository_of(name: str) -> str:
    """A reference without its tag and digest."""
    plain = name.partition("@")[0]
    return plain[: plain.rfind(":")] if ":" in plain.rpartition("/")[2] else plain


def build(app: "api.App", mark: Mark, number: int, has_procfile: bool) -> "api.Build":
    """The image as the build of release `number`. Raises errors.BuildFailed if it is not to be had."""
    with contextlib.ExitStack() as stack:
        found = _here(app, mark)
        if found is None:
            found = docker.inspect(stack.enter_context(_again(app, mark)).id)
        if found is None:
            raise api.errors.Unavailable(f"docker does not know the image {mark.image} that it has just got", "doctor")
        config = found.get("Config") or {}
        commands = api.kernel.image.commands_of(config)
        if not commands and not has_procfile:
            raise api.errors.BuildFailed(
                f"the image {mark.image} has no command of its own, and there is no Procfile",
                "give it a CMD, or clone the app and commit a Procfile such as web: ./server",
            )
        docker.tag(found["Id"], f"minipaas/{app.name}:v{number}")
    port = api.kernel.image.port_of(config, "")
    return api.Build(found["Id"], "image", commands, port, api.kernel.image.notes_of(app.name, config, port))


def _here(app: "api.App", mark: Mark) -> dict | None:
    """The image by its ID, if this host has it by a name that the app may use.

    By the bare ID anybody who pushes could have another app's image, which a registry would not give them.
    """
    found = docker.inspect(mark.id) if mark.id else None
    if found is None or any(name.startswith(f"minipaas/{app.name}:v") for name in found.get("RepoTags") or []):
        return found
    by_name = docker.inspect(mark.image)
    if by_name is None or by_name["Id"] != found["Id"]:
        return None
    check_owner(app, mark.image, found)
    return found


def check_owner(app: "api.App", name: str, found: dict) -> None:
    """Refuse an image of this host that was built for another app. Raises errors.BuildFailed."""
    if owner := api.kernel.image.owner(name, found.get("Config") or {}):
        api.check_image_owner(app, owner)


@contextlib.contextmanager
def _again(app: "api.App", mark: Mark):
    """As obtained, for the very image that a commit names and that is not here, or no more."""
    with obtained(app, mark.digest or mark.image) as found:
        if mark.id and found.id != mark.id:
            raise api.errors.BuildFailed(
                f"the image {mark.image} has changed since, and {mark.id[:19]} is gone from this host",
                f"to deploy the current one: git:from-image {app.name} {mark.image}",
            )
        yield found
