from minipaas_lib import api

KEYS = {"ci-blog": {"blog"}, "anna": {"blog", "shop"}}  # the apps of a key; a key that is not here may do everything
FREE = {"help", "version", "completion"}  # commands that tell nothing of any app
PUSHES = {"git-receive-pack", "git-upload-pack"}  # all that a key whose name begins with ci- may do


@api.hookimpl
def authorize(key, command, app):
    if key not in KEYS or (command in FREE and not app):
        return
    if app not in KEYS[key]:  # also "": what names no app may be about all of them
        raise api.errors.Denied(f"the key {key} may not {command}" + (f" {app}" if app else ""), "ask an admin")
    if key.startswith("ci-") and command not in PUSHES:
        raise api.errors.Denied(f"the key {key} may only push", "ask an admin for a key of your own")
