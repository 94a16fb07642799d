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
