"""On a cluster processes run on its nodes; the scheduler of this host works on each node's docker."""

from minipaas_lib import api


@api.hookimpl(wrapper=True)
def scheduler():
    local = yield
    found = api.cluster.settings()
    if local is None or found is None:
        return local
    from plugins.scheduler_fleet import client, nodes
    from plugins.scheduler_fleet.homeward import HomewardScheduler
    from plugins.scheduler_fleet.scheduler import FleetScheduler

    fleet = client.Fleet(found.fleet)
    kind = HomewardScheduler if found.moving == api.cluster.OUT else FleetScheduler
    return kind(local, fleet, api.store(), nodes.Nodes(local, fleet, nodes.tunnels))


@api.hookimpl
def images_unused(app, kept, newest):
    if api.cluster.settings() is None:
        return None
    from plugins.scheduler_fleet import engine

    return engine.scheduler().drop_unused_images(app.name, kept, newest)
