"""Detect the buildpacks for a branch of an app's repository as a build would."""

import os

from minipaas_lib import api
from plugins.builder_buildpack import choose


def choice(app, branch: str | None) -> choose.Choice:
    """The buildpacks for the newest commit of the branch, or of the one that deploys.

    Raises errors.NotFound if nothing was pushed or no buildpack is for it.
    """
    set_branch = app.table("git").get("deploy-branch")
    branches = [branch] if branch else [set_branch] if set_branch else ["main", "master"]
    commit = None if any(name.startswith("-") for name in branches) else api.repository.head_commit(app.name, branches)
    if commit is None:
        raise api.errors.NotFound(
            f"{app.name} has no branch {api.names.safe(' or '.join(branches))}", "git push paas main"
        )
    folder = os.path.join(
        api.paths.work(), f"{app.name}.v0.detect-{os.getpid()}"
    )  # a killed one's is removed by the next build
    try:
        os.makedirs(api.paths.work(), mode=0o700, exist_ok=True)
        api.repository.checkout(app.name, commit, folder)
        found = choose.choose(app, folder, api.merged_config(app))
    finally:
        api.kernel.folders.remove(folder)
    if found is None:
        said = f"no buildpack fits commit {commit[:8]} of {app.name}: it has none of {', '.join(choose.LOOKED_FOR)}"
        raise api.errors.NotFound(said, f"buildpacks:set {app.name} <buildpack>")
    return found
