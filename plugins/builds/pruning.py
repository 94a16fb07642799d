"""Remove what builds leave: images that no release has, and the build cache beyond a budget."""

import re

from minipaas_lib import api
from plugins.builds import docker

BUDGET = 1 << 30  # bytes of build cache that stay
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_NOT_NOW = re.compile("is being used|is using its referenced image|has dependent child images|No such image")


def parse_size(text: str) -> int:
    """`500m`, `2g` or `0` in bytes. Raises errors.UsageError."""
    match = re.fullmatch("([0-9]{1,12})([kmgt]?)b?", text.lower())
    if not match:
        raise api.errors.UsageError(f"{api.names.safe(text)} is not a size", "give a size such as 500m or 2g")
    return int(match[1]) * _UNITS[match[2]]


def images_of(app) -> list[str]:
    """Remove the images of an app's builds that no release has, old ones included; what was removed.

    The caller holds the app's lock: a build that is going on has images that no release has yet.
    """
    kept = api.kernel.images_in_use(app.name)
    newest = max(api.kernel.release_numbers(app.name), default=0)
    named = [name for removed in api.call("images_unused", app=app, kept=kept, newest=newest) for name in removed]
    return named + _nameless(app.name, kept)


def _nameless(app: str, kept: set[str]) -> list[str]:
    """Remove the app's images without a name, never by force: one that a container uses stays."""
    listed = docker.run(
        "images", "--quiet", "--no-trunc", "--filter", "dangling=true", "--filter", f"label=minipaas.app={app}"
    )
    if listed.returncode:
        raise api.errors.Unavailable("docker does not answer", "doctor")
    unused = sorted(set(listed.stdout.split()) - kept)
    removed = []
    for image in unused:
        done = docker.run("image", "rm", image)
        if done.returncode == 0:
            removed.append(image)
        elif not _NOT_NOW.search(done.stderr):
            api.output.warn(f"an image could not be removed: {done.stderr.strip()[:300]}")
    return removed


def cache(keep: int) -> str:
    """Prune the build cache down to `keep` bytes, oldest first; what docker says it gained.

    A running build keeps its own.
    """
    done = docker.run("builder", "prune", "--force", "--all", "--keep-storage", str(keep))
    if done.returncode:
        raise api.errors.Unavailable(f"docker cannot prune the build cache: {done.stderr.strip()[:300]}", "doctor")
    said = re.search(r"^Total(?: reclaimed space)?:\s*(\S+)", done.stdout, re.MULTILINE)
    return said[1] if said else "0B"
