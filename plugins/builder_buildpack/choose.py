"""Which buildpacks build a source tree, and why."""

import os
from typing import NamedTuple

from minipaas_lib import api
from plugins.builder_buildpack import references, settings
from plugins.builder_buildpack.references import Reference

STATIC_FOLDERS = ("", "public/", "static/", "dist/", "build/")
# Like bin/detect of the built-in buildpacks, in order: programs come before mere pages.
FILES = {
    "python": ("requirements.txt", "pyproject.toml"),
    "node": ("package.json",),
    "procfile": ("Procfile",),
    "static": (".static", *(folder + "index.html" for folder in STATIC_FOLDERS)),
}
LOOKED_FOR = [".buildpacks", "requirements.txt", "pyproject.toml", "package.json", "Procfile", "index.html", ".static"]


class Choice(NamedTuple):
    packs: list[Reference]
    why: str  # such as: there is a package.json


def choose(app, context: str, config: dict[str, str]) -> Choice | None:
    """The buildpacks for the source tree in the folder `context`; None if there are none.

    First those of buildpacks:set, then config BUILDPACK_URL, then .buildpacks, then detection.
    Raises errors.InvalidFile for a .buildpacks that cannot be used, errors.UsageError for a BUILDPACK_URL.
    """
    said = settings.listed(app)
    if said:
        return Choice([references.parse(text) for text in said], f"buildpacks:set says {' '.join(said)}"[:200])
    if config.get("BUILDPACK_URL"):
        return Choice([references.parse(config["BUILDPACK_URL"].strip())], "the config variable BUILDPACK_URL says so")
    data = api.repository.read_file(context, ".buildpacks", references.FILE_LIMIT)
    if data is not None and (packs := references.parse_file(data)):
        return Choice(packs, f".buildpacks names {len(packs)}")
    return detect(context)


def detect(context: str) -> Choice | None:
    """The built-in buildpack for the source tree."""
    for name, files in FILES.items():
        for file in files:
            if _is_file(context, file):
                article = "an" if file[0] in "aeiou" else "a"
                return Choice([Reference("ours", name)], f"{name}, there is {article} {file}")
    return None


def _is_file(context: str, name: str) -> bool:
    """A regular file reached through no symbolic link."""
    path = context
    for part in name.split("/"):
        path = os.path.join(path, part)
        if os.path.islink(path):
            return False
    return os.path.isfile(path)
