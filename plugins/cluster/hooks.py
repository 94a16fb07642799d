"""On a head: its own nginx, which served before, goes on serving; and doctor looks at the cluster, too."""

from minipaas_lib import api


@api.hookimpl(wrapper=True, tryfirst=True)
def router():
    every = yield
    found = api.cluster.settings()
    if every is None or found is None:
        return every
    from plugins.cluster import head

    return head.HeadRouter(every, found.moving)


@api.hookimpl
def doctor(app):
    if app is not None or api.cluster.settings() is None:
        return None
    from plugins.cluster import looking

    return looking.findings(looking.status())


@api.hookimpl
def before_git(app):
    """Have here what was deployed through another head, so that a clone has it and a push builds on it."""
    from plugins.cluster import head, heads, repositories

    if heads.others(api.store()):
        head.ensure_follower()  # for the others to get what comes in
        repositories.catch_up(app.name)
