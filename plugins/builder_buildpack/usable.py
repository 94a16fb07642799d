"""Look at what is set of buildpacks as a build will: what that would refuse is refused when it is set."""

import contextlib
import os
import re

from minipaas_lib import api
from plugins.builder_buildpack import references, settings
from plugins.builder_buildpack.references import Reference


def parse(text: str) -> Reference:
    """The buildpack that `text` names, if a build may use it. Raises errors.UsageError."""
    reference = references.parse(text)
    if reference.kind == "path":
        try:
            folder(reference)
        except api.errors.Denied as error:
            raise api.errors.UsageError(error.message, error.hint) from None
    elif reference.kind == "git":
        host, port = api.kernel.remote_url.host_of(reference.place)
        if not host:
            raise api.errors.UsageError(
                f"{api.names.safe(text)} is not a buildpack: its port is not valid",
                "give a port from 1 to 65535, or none",
            )
        api.kernel.destinations.resolve(host, port, proxied=True)  # names are looked up by each build
    return reference


def folder(reference: Reference) -> None:
    """Only what an administrator has put below the folder for it is used: anybody's push can name a path.

    Raises errors.Denied for any other folder, errors.UsageError for one that is no git repository.
    """
    root = settings.local_folder()
    here = os.path.realpath(reference.place)
    if not root or os.path.commonpath([os.path.realpath(root), here]) != os.path.realpath(root):
        where = f"buildpacks of this host must be below {root}" if root else "buildpacks of this host are not allowed"
        name = reference.place[1:]
        meant = name if name in references.OURS else f"heroku/{name}"
        near = f"did you mean {meant}? If not, " if re.fullmatch("[a-z][a-z0-9-]*", name) else ""
        raise api.errors.Denied(
            f"{reference.place} cannot be used: {where}",
            f"{near}on the host: minipaas buildpacks:set-property --global local-folder <folder>",
        )
    if not os.path.exists(os.path.join(here, ".git")) and not os.path.exists(os.path.join(here, "objects")):
        raise api.errors.UsageError(
            f"{reference.place} is not a git repository",
            "in that folder: git init && git add -A && git commit -m first",
        )


def stack(app: str | None, image: str) -> str:
    """The name of a stack image, if builds of the app (None: of any) may run in it. Raises errors.UsageError."""
    from plugins.builder_buildpack import stack as stacks

    here: dict | None = None
    with contextlib.suppress(api.errors.Unavailable):  # the next build looks at it
        here = stacks.config_of(image)
    owner = api.kernel.image.owner(image, here or {})
    if not owner:
        return image
    if app is None:
        raise api.errors.UsageError(
            f"{image} belongs to the app {owner}, and no other app may use it",
            "give an image of a registry, such as: debian:12",
        )
    try:
        api.check_image_owner(api.app(app), owner)
    except api.errors.BuildFailed as error:
        raise api.errors.UsageError(error.message, "give an image of a registry, such as: debian:12") from None
    return image
