"""What doctor itself looks at: the store, the way in over ssh, the disk. Docker and nginx look after themselves."""

from minipaas_lib import api


@api.hookimpl
def doctor(app):
    if app is not None:
        return None
    from plugins.doctor import host

    return host.findings()
