"""What doctor itself checks: the store, access over ssh, the disk. The plugins of docker and nginx check those."""

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is not None:
        left = api.kernel.interrupted(app.name)
        return [api.Finding(f"app {app.name}: last change", False, left, "doctor --fix")] if left else None
    from plugins.doctor import host

    return host.findings()
