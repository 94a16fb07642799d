from minipaas_lib import api


@api.hookimpl
def config_changed(app, names):
    whose = app.name if app else "all apps"
    api.output.info(f"told the audit log: {' '.join(names)} of {whose}")  # names only: values are secrets
