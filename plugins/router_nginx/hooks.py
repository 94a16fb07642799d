"""Hooks of the router."""

from minipaas_lib import api
from plugins.router_nginx import settings


@api.hookimpl
def router():
    from plugins.router_nginx.router import NginxRouter

    return NginxRouter()


@api.hookimpl
def route_context(app, commit):
    chosen = settings.chosen(app)
    part: dict[str, object] = {"settings": chosen}
    if chosen.get("custom-template") == "on" and commit:
        from plugins.router_nginx import source

        part["template"] = source.template_of(app.name, commit)
    return part


@api.hookimpl
def report(app):
    return {f"nginx-{name}": value for name, value in settings.report(app).items()}


@api.hookimpl
def doctor(app):
    from plugins.router_nginx import doctor as checks
    from plugins.router_nginx.host import this_host

    return checks.host_findings(this_host()) if app is None else checks.app_findings(this_host(), app)


@api.hookimpl
def app_destroyed(app):
    from plugins.router_nginx import logs

    logs.remove(app.name)


@api.hookimpl
def installed():
    from plugins.router_nginx.router import NginxRouter

    router = NginxRouter()
    router.install()
    router.follow_platform(api.kernel.platform())
    if isinstance(api.router(), NginxRouter):  # else this host follows a cluster's routes, and writes them anew itself
        from plugins.router_nginx import refresh

        for sentence in refresh.refresh(router, api.kernel.live_route):
            api.output.warn(sentence)
        # Those that a killed command left half done are put right first, elsewhere.
        whole = [name for name in api.app_names() if not api.kernel.interrupted(name)]
        refresh.announce(router, whole, api.kernel.reroute)
