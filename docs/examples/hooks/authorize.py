from minipaas_lib import api


@api.hookimpl
def authorize(key, command, app):
    if key.startswith("ci-") and command not in ("git-receive-pack", "git-upload-pack"):
        raise api.errors.Denied(f"the key {key} may only push", "ask an admin for a key of your own")
