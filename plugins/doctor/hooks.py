"""What doctor itself looks at: the store, the way in over ssh, the disk. Docker and nginx look after themselves."""

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is not None:
        left = api.interrupted(app.name)
        return [api.Finding(f"app {app.name}: last change", False, left, "doctor --fix")] if left else None
    from plugins.doctor import host

    return host.findings()
