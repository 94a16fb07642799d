"""Remove the images of an app that are not used any more."""

import re

from minipaas_lib import api
from plugins.builder_dockerfile import client as clients


def remove_unused(app: str, kept: set[str], newest: int) -> list[str]:
    """Remove the images built for releases up to `newest`, but those with an ID in `kept`; return their names.

    Only names are taken away, never by force: docker itself then removes an image that has no other name, unless a
    container uses it. That one goes another time. Raises errors.Unavailable if docker refuses.
    """
    client = clients.find()
    listed = _docker(client, "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}", f"minipaas/{app}")
    old = unused(app, listed.splitlines(), kept, newest)
    if not old:
        return []
    try:
        said = api.kernel.programs.run(client.path, "image", "rm", *old, timeout=120)
    except api.kernel.programs.Failed as error:
        fine = re.compile("is using its referenced image|No such image")
        if others := [line for line in error.err.splitlines() if not fine.search(line)]:
            raise _refused(others[0]) from None
        said = error.out
    return re.findall(r"^Untagged: (.+)$", said, re.MULTILINE)


def unused(app: str, listed: list[str], kept: set[str], newest: int) -> list[str]:
    """Of docker's lines `<ID> <name>:<tag>` the names to remove. Pure."""
    found = []
    for line in listed:
        image, _, name = line.partition(" ")
        number = re.fullmatch(re.escape(f"minipaas/{app}:v") + r"([0-9]{1,9})", name)
        if number and int(number[1]) <= newest and image not in kept:
            found.append(name)
    return sorted(found)


def rename(former: str, app: str, images: set[str], kept: set[str]) -> None:
    """Call the `images` (IDs) of an app by its new name; those in `kept` keep the former name too.

    Else another app of the former name would have them removed as its own. Raises errors.Unavailable.
    """
    client = clients.find()
    listed = _docker(
        client, "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}", f"minipaas/{former}"
    )
    for old, new, stays in renamed(former, app, listed.splitlines(), images, kept):
        _docker(client, "tag", old, new)
        if not stays:
            _docker(client, "image", "rm", "--no-prune", old)


def renamed(former: str, app: str, listed: list[str], images: set[str], kept: set[str]) -> list[tuple[str, str, bool]]:
    """Of docker's lines `<ID> <name>:<tag>` (old name, new name, whether the old one stays). Pure."""
    found = []
    for line in listed:
        image, _, name = line.partition(" ")
        number = re.fullmatch(re.escape(f"minipaas/{former}:v") + r"([0-9]{1,9})", name)
        if number and image in images:
            found.append((name, f"minipaas/{app}:v{number[1]}", image in kept))
    return sorted(found)


def _refused(said: str) -> "api.errors.Unavailable":
    return api.errors.Unavailable("not all images could be removed: " + said.strip()[:300], "docker image prune")


def _docker(client: clients.Client, *words: str) -> str:
    try:
        return api.kernel.programs.run(client.path, *words, timeout=120)
    except api.kernel.programs.Failed as error:
        raise _refused(error.err) from None
