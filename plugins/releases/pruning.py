"""Let go of what releases hold that are not kept: images, output and commits. Their documents stay: they are history.

An app keeps the releases that were live last (settings.keep of them), the live one, and any that is being made. What a
release has printed, and its commit, stay for the newest ones that failed too.
"""

import os
import re

from minipaas_lib import api
from plugins.releases import settings


def prune(app) -> dict[str, list[str]]:
    """Remove what may go, and return it: {"images": [...], "output": [...], "commits": [...]}.

    Needs no lock: what belongs to a release that is newer than those there are now is not touched.
    """
    numbers = api.kernel.release_numbers(app.name)
    if not numbers:
        return {"images": [], "output": [], "commits": []}
    count, newest = settings.keep(app), numbers[-1]
    kept = api.kernel.kept_releases(app.name, count)
    stays = {release.number for release in kept} | set(numbers[-count:])
    return {
        "images": prune_images(app, newest),
        "output": prune_output(app.name, stays, newest),
        "commits": prune_commits(app.name, stays, {release.commit for release in kept}, newest),
    }


def prune_images(app, newest: int) -> list[str]:
    """Ask the builders to remove the images that no kept release of any app runs."""
    kept = api.kernel.images_in_use(app.name, lambda name: api.kernel.kept_releases(name, settings.keep(api.app(name))))
    return [name for removed in api.call("images_unused", app=app, kept=kept, newest=newest) for name in removed]


def prune_output(app: str, stays: set[int], newest: int) -> list[str]:
    """Remove the output of releases that are not in `stays`; return the names of the files."""
    folder, removed = api.paths.output(app), []
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        number = re.fullmatch(r"v([0-9]{1,9})\.log", name)
        if number and int(number[1]) <= newest and int(number[1]) not in stays:
            os.unlink(os.path.join(folder, name))
            removed.append(name)
    return removed


def prune_commits(app: str, stays: set[int], wanted: set[str], newest: int) -> list[str]:
    """Let go of the commits of releases that are not in `stays`; return the releases' names.

    A commit in `wanted` is kept all the same, once: a release that pushed nothing (config, a rollback) has the commit
    of an earlier one. So is what a branch has.
    """
    refs = api.repository.kept_commits(app)
    held = {commit for number, commit in refs.items() if number in stays or number > newest}
    gone = []
    for number, commit in sorted(refs.items(), reverse=True):
        if number > newest or number in stays:
            continue
        if commit in wanted - held:
            held.add(commit)
        else:
            gone.append(number)
    for number in sorted(gone):
        api.repository.drop_release(app, number)
    return [f"v{number}" for number in sorted(gone)]
