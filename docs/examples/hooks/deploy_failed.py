from minipaas_lib import api


@api.hookimpl
def deploy_failed(app, release, previous, reason):
    still = previous.name if previous else "nothing"
    api.output.info(f"paging {release.who}: {app.name} {release.name} failed ({reason}), {still} serves")
