"""Hooks of git: a release, the report, an installation."""

from minipaas_lib import api
from plugins.git import settings


@api.hookimpl
def release_environment(app, commit):
    name = settings.rev_variable(app)
    return {name: commit} if name and commit else None


@api.hookimpl
def app_destroyed(app):
    api.kernel.remotes.forget(app.name)


@api.hookimpl
def app_renamed(app, former):
    api.kernel.remotes.rename(former, app.name)


@api.hookimpl
def report(app):
    live = api.live_release(app.name)
    return {
        "git-deploy-branch": " or ".join(settings.deploy_branches(app)),
        "git-rev-env-var": settings.rev_variable(app),
        "git-sha": live.commit if live else "",
    }


def global_report():
    """The part of git:report --global."""
    limits = api.kernel.limits()
    return {"git-max-entries": limits.entries, "git-max-size": limits.size}


@api.hookimpl
def installed():
    """Give the repositories of all apps this version's hook and config.

    An app gets its repository at its first push.
    """
    settings.renew_repositories()
