from minipaas_lib import api


@api.hookimpl
def before_git(app):
    if app.document.get("example", {}).get("closed"):
        raise api.errors.Denied(f"the repository of {app.name} is closed", "ask the owner")
