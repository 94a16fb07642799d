"""Remove what builds of an app have left: images, a dead build's container, the cache of a removed app."""

import json
import re

from minipaas_lib import api
from plugins.builder_buildpack import client, owner, plan


def remove_unused(app: str, kept: set[str], newest: int) -> list[str]:
    """Remove images of releases up to `newest` except those with an ID in `kept`; return their names.

    Only names are removed: docker removes an image that has no other name, unless a container uses it.
    """
    remove_dead_build(app)
    words = ["images", "--no-trunc", "--filter", "label=minipaas.builder=buildpack", "--format"]
    listed = client.run([*words, "{{.ID}} {{.Repository}}:{{.Tag}}", f"minipaas/{app}"])
    return [name for name in unused(app, listed.splitlines(), kept, newest) if client.succeeds(["image", "rm", name])]


def unused(app: str, listed: list[str], kept: set[str], newest: int) -> list[str]:
    """Of docker's lines `<ID> <name>:<tag>` the names to remove. Pure."""
    found = []
    for line in listed:
        image, _, name = line.partition(" ")
        number = re.fullmatch(re.escape(f"minipaas/{app}:v") + r"([0-9]{1,9})", name)
        if number and int(number[1]) <= newest and image not in kept:
            found.append(name)
    return sorted(found)


def remove_dead_build(app: str) -> bool:
    """Remove the build container whose minipaas process was killed; whether there was one."""
    name = plan.container_of(app)
    try:
        labels = json.loads(client.run(["container", "inspect", "--format", "{{json .Config.Labels}}", name])) or {}
    except client.Failed:
        return False
    if labels.get(plan.BUILD_LABEL) != app or owner.alive(labels.get(plan.OWNER_LABEL, "")):
        return False
    return client.succeeds(["rm", "--force", "--volumes", name])


def purge_cache(app: str) -> bool:
    """Remove the app's cache; False if a build uses it. None is fine."""
    return not client.run(
        ["volume", "ls", "--quiet", "--filter", f"name=^{re.escape(plan.cache_of(app))}$"]
    ) or client.succeeds(["volume", "rm", plan.cache_of(app)])


def app_gone(name: str) -> None:
    """Remove everything kept for an app. Raises errors.Unavailable."""
    remove_dead_build(name)
    if not purge_cache(name):
        raise api.errors.Unavailable(
            f"a build is using the build cache of {name}", f"docker volume rm {plan.cache_of(name)}"
        )
