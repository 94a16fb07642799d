"""What is set of buildpacks: the table [buildpacks] of an app's document and of the platform's."""

import os
import re

from minipaas_lib import api

TABLE = "buildpacks"
PROPERTIES = ("stack", "local-folder")
PYTHON_STACK = "python:3.13-bookworm"
NODE_STACK = "node:22-bookworm"
PROCFILE_STACK = "debian:12"
OTHER_STACK = "heroku/heroku:24-build"
# As docker reads names (distribution/reference): a registry's host perhaps, a path, a tag, a digest.
_LABEL, _PART = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = (
    rf"(?:(?:{_LABEL}(?:\.{_LABEL})+|localhost|{_LABEL}(?=:))(?::[0-9]{{1,5}})?/)?"
    rf"{_PART}(?:/{_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


def listed(app) -> list[str]:
    """The buildpacks set for the app, in their order, as text."""
    return [str(text) for text in app.table(TABLE).get("list", [])]


def everywhere() -> dict:
    """The table of the platform."""
    return dict(api.kernel.platform().get(TABLE, {}))


def stack(app, packs) -> str:
    """The name of the stack image of a build with these references; "" is the one that holds a busybox only."""
    return app.table(TABLE).get("stack") or everywhere().get("stack") or default_stack(packs)


def default_stack(packs) -> str:
    """An image from the public registry that suits the buildpacks; "" if pages are served and nothing else."""
    names = {pack.place if pack.kind == "ours" else "" for pack in packs}
    if "" in names:
        return OTHER_STACK
    if "node" in names:
        return NODE_STACK
    if "python" in names:
        return PYTHON_STACK
    return PROCFILE_STACK if "procfile" in names else ""


def stack_variable(image: str) -> str:
    """STACK as buildpacks know it: heroku-24 of heroku/heroku:24-build, else the image's name and tag."""
    heroku = re.search(r"(?:^|/)heroku:([0-9]{2})", image)
    if heroku:
        return f"heroku-{heroku[1]}"
    name = image.partition("@")[0].rpartition("/")[2]
    return re.sub("[^A-Za-z0-9.-]", "-", name) or "busybox"


def local_folder() -> str:
    """The folder whose buildpacks may be used; "" allows none of this host."""
    return str(everywhere().get("local-folder", ""))


def parse(name: str, value: str) -> str:
    """The value of a property as it is stored. Raises errors.UsageError."""
    if name == "stack":
        if len(value) > 300 or re.fullmatch("[0-9a-f]{4,64}", value) or not re.fullmatch(_IMAGE, value):
            raise api.errors.UsageError(
                f"{api.names.safe(value)} is not an image's name", "give one such as: debian:12"
            )
        return value
    if name == "local-folder":
        normal = os.path.normpath(value)
        if not re.fullmatch(r"/[^\x00-\x20\x7f]+", value) or normal != value.rstrip("/"):
            raise api.errors.UsageError(
                f"{api.names.safe(value)} is not a folder's path", "give one such as: /srv/buildpacks"
            )
        return normal
    raise api.errors.UsageError(f"there is no property {api.names.safe(name)}", "one of: " + ", ".join(PROPERTIES))
