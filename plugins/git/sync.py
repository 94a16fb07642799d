"""Bring an app what a repository elsewhere has."""

from minipaas_lib import api
from plugins.git import settings

BUILD, IF_CHANGES = "build", "build-if-changes"


def sync(name: str, url: str, ref: str, build: str, keep_branch: bool) -> None:
    """Fetch `ref` (empty: what a clone would get) and, as `build` says, deploy it. Raises errors.MinipaasError."""
    api.kernel.remotes.check_url(url)
    if ref:
        settings.branch_name(ref)
    api.kernel.destinations.resolve(*api.kernel.remote_url.host_of(url), trusted=api.kernel.destinations.by_root())
    with api.kernel.incoming(name):
        app = api.app(name)
        shown = api.names.safe(url)[1:-1]
        api.output.step(f"Fetching {ref or 'the default branch'} of {shown}")
        commit, fetched = api.repository.fetch_commit(name, url, ref, trusted=api.kernel.destinations.by_root())
        moved = commit != api.repository.synced(name)
        chosen = fetched if ref and fetched and not keep_branch and fetched not in settings.deploy_branches(app) else ""
        branch = fetched if fetched in settings.deploy_branches(app) else chosen or settings.branch_of(app)
        if build == IF_CHANGES and not moved:
            api.output.step(f"{commit[:8]} is already synced, nothing to do")
            return
        if not build:
            api.repository.follow(name, commit, branch)
            api.repository.set_synced(name, commit)
            api.output.step(
                f"{branch} of {name} is {commit[:8]}; "
                f"nothing was deployed; to deploy it: git:sync --build {name} {shown} {ref}".rstrip()
            )
            return
        try:
            edit = (lambda document: _choose(document, chosen)) if chosen else None
            api.kernel.deploy_commit(
                name, commit, f"git:sync {shown} {ref}".rstrip(), force=build == BUILD, edit=edit, branch=branch
            )
        except api.errors.Cancelled:
            raise
        except api.errors.MinipaasError:
            api.repository.set_synced(name, commit)  # the same commit would fail again
            raise
        api.repository.set_synced(name, commit)


def _choose(document, branch: str) -> None:
    document.setdefault(settings.TABLE, {})["deploy-branch"] = branch
