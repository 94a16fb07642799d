"""Hooks of domains."""

from minipaas_lib import api
from plugins.domains import owners


@api.hookimpl
def app_created(app):
    everywhere = owners.global_domains()
    for name in sorted({*owners.wanted(app, everywhere)} - {*owners.domains_of(app, everywhere)}):
        api.output.warn(f"{name} already belongs to another app, so {app.name} does not answer there")


@api.hookimpl
def app_renamed(app, former):
    """Its own names go along; the default ones are made of the app's name."""
    everywhere = owners.global_domains()
    found = owners.domains_of(app, everywhere)
    if everywhere and owners.uses_global(app):
        gone = [name for name in owners.defaults(former, everywhere) if name not in found]
        now = [name for name in owners.defaults(app.name, everywhere) if name in found]
        if gone:
            said = f"{' '.join(now)} is now its default domain" if now else "it has no default domain any more"
            api.output.warn(f"{app.name} no longer answers at {' '.join(gone)}: {said}")
            api.output.info(f"to keep the old one too: domains:add {app.name} {' '.join(gone)}")
    app_created(app)
    api.notify("domains_changed", app=app, domains=found)


@api.hookimpl
def before_clone():
    return ["domains"]  # a domain leads to one app; the copy gets a default one of its own


@api.hookimpl
def before_release(app, release):
    """Refuse a rollback to a release with a domain that another app has now."""
    live = api.live_release(app.name)
    if live and owners.is_default(app) and not live.routing.get("default"):
        from plugins.domains import change

        change.refuse_second_default(app.name)
    chosen = {*owners.own(app)} - {*(live.routing.get("domains", []) if live else ())}
    if live and chosen:
        from plugins.domains import change

        change.refuse_taken(sorted(chosen), app.name, owners.global_domains())


@api.hookimpl
def before_restore(app):
    from plugins.domains import change

    change.refuse_taken(sorted(owners.own(app)), app.name, owners.global_domains())
    if owners.is_default(app):
        change.refuse_second_default(app.name)


@api.hookimpl
def route_context(app):
    context = {"domains": owners.domains_of(app, owners.global_domains())}
    return context | {"default": True} if owners.is_default(app) else context


@api.hookimpl
def report(app):
    return owners.report(app)
