from minipaas_lib import api


@api.hookimpl
def check_process(app, release, process):
    if process.process_type == "web" and not process.address:
        raise api.errors.DeployFailed(f"{process.name} has no address", f"ps:report {app.name}")
