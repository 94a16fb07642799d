from minipaas_lib import api


@api.hookimpl
def release_task(app, release):
    if release.number > 1 and app.table("example").get("snapshots"):
        api.output.step(f"Snapshot of the database before {release.name}")
