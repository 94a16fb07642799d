from minipaas_lib import api


@api.hookimpl
def container_options(app, process_type):
    if process_type != "worker":
        return None
    return {"memory": 512 * 1024**2, "mounts": [[f"/srv/{app.name}", "/data", "rw"]]}
