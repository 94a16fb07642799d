"""The hooks of the cluster: its engines in the place of those of this host alone, and what else it takes part in."""

from minipaas_lib import api


@api.hookimpl(wrapper=True)
def scheduler():
    """On a cluster processes run on its nodes; the scheduler of this host works on each node's docker."""
    local = yield
    cluster = api.kernel.cluster.settings()
    if local is None or cluster is None:
        return local
    from plugins.cluster import active_engine

    return active_engine.choose(cluster, local)


@api.hookimpl(wrapper=True)
def router():
    """On a cluster a route is for every router of it; this host's own nginx, which served before, goes on serving."""
    local = yield
    cluster = api.kernel.cluster.settings()
    if local is None or cluster is None:
        return local
    from plugins.cluster.head.head_router import HeadRouter
    from plugins.cluster.routes.cluster_router import ClusterWideRouter

    return HeadRouter(ClusterWideRouter(local, api.kernel.store()), cluster.moving)


@api.hookimpl
def doctor(app):
    if app is not None or api.kernel.cluster.settings() is None:
        return None
    from plugins.cluster.head import status

    return status.findings(status.status())


@api.hookimpl
def before_git(app):
    """Have here what was deployed through another head, so that a clone has it and a push builds on it."""
    from plugins.cluster.head import follower_process, git_sync, head_registry

    if head_registry.others(api.kernel.store()):
        follower_process.ensure_running()  # for the others to get what comes in
        git_sync.catch_up(app.name)


@api.hookimpl
def images_unused(app, kept, newest):
    if api.kernel.cluster.settings() is None:
        return None
    from plugins.cluster import active_engine

    return active_engine.scheduler().drop_unused_images(app.name, kept, newest)
