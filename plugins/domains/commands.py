"""The commands domains:*."""

import click

from minipaas_lib import api
from plugins.domains import owners

_domains = click.argument("domains", nargs=-1, metavar="<domain> ...")


@api.commands.command("domains:add")
@api.commands.plan_option
@api.commands.wait_option
@api.commands.app_argument
@_domains
def domains_add(app, domains, plan):
    """Add domains to an app; it keeps those it has.

    A wildcard such as *.example.org takes every name below it that no other app has. What runs keeps running.

    \b
    e.g.: domains:add blog example.org www.example.org
          domains:add blog example.org --plan
    """
    from plugins.domains import change

    new = change.parse(domains)

    def add(own, use_global, everywhere):
        default = owners.defaults(app, everywhere) if use_global else []
        return [*own, *(name for name in new if name not in default)], use_global

    change.apply(app, add, plan)


@api.commands.command("domains:remove")
@api.commands.plan_option
@api.commands.wait_option
@api.commands.app_argument
@_domains
def domains_remove(app, domains, plan):
    """Remove domains from an app. After one of its default domains is removed, it follows the global ones no more.

    \b
    e.g.: domains:remove blog www.example.org
    """
    from plugins.domains import change

    gone = change.parse(domains)
    leaving = set(gone)

    def remove(own, use_global, everywhere):
        default = owners.defaults(app, everywhere) if use_global else []
        here = {*own, *default}
        missing = [name for name in gone if name not in here]
        if missing:
            raise api.errors.UsageError(f"{app} does not have {change.shown(missing)}", f"domains:report {app}")
        if set(gone).isdisjoint(default):
            return [name for name in own if name not in leaving], use_global
        return sorted(here - leaving), False

    change.apply(app, remove, plan)


@api.commands.command("domains:set")
@api.commands.plan_option
@api.commands.wait_option
@api.commands.app_argument
@_domains
def domains_set(app, domains, plan):
    """Give an app exactly these domains. It follows the global domains no more; domains:reset undoes that.

    \b
    e.g.: domains:set blog example.org
    """
    from plugins.domains import change

    new = change.parse(domains)
    change.apply(app, lambda own, use_global, everywhere: (new, False), plan)


@api.commands.command("domains:clear")
@api.commands.wait_option
@api.commands.app_argument
def domains_clear(app):
    """Take all domains from an app, its default ones too; domains:reset gives those back.

    \b
    e.g.: domains:clear blog
    """
    from plugins.domains import change

    change.apply(app, lambda own, use_global, everywhere: ([], False))


@api.commands.command("domains:reset")
@api.commands.wait_option
@api.commands.app_argument
def domains_reset(app):
    """Give an app its default domains, <app>.<global domain>, and no others.

    \b
    e.g.: domains:reset blog
    """
    from plugins.domains import change

    change.apply(app, lambda own, use_global, everywhere: ([], True))


@api.commands.command("domains:set-default")
@api.commands.wait_option
@api.commands.app_argument
def domains_set_default(app):
    """Have an app answer on port 80 for every name that no app has, and for the host's bare address.

    One app of the host does. It keeps its own domains, and a name that another app owns is never answered by it. On a
    port that only one app maps nothing need be said: that app answers there.

    \b
    e.g.: domains:set-default blog
    """
    from plugins.domains import change

    change.set_default(app)


@api.commands.command("domains:unset-default")
@api.commands.wait_option
@api.commands.app_argument
def domains_unset_default(app):
    """Have an app answer no more for names that no app has: they get our page again.

    \b
    e.g.: domains:unset-default blog
    """
    from plugins.domains import change

    change.unset_default(app)


def _rows(app) -> dict:
    """The report of one app. What it takes of the other apps is read once for a command, not once for each app."""
    memory = click.get_current_context().meta
    if "domains" not in memory:
        memory["domains"] = owners.texts()
    return owners.report(app, memory["domains"])


def _everywhere() -> dict:
    """The report of the global domains."""
    domains = owners.global_domains()
    return {
        "domains-global-enabled": bool(domains),
        "domains-global-vhosts": domains,
        "domains-default-app": " ".join(owners.default_apps()),
    }


domains_report = api.commands.report_command(
    "domains",
    _rows,
    "Print the domains of one app or of all; with --global the global ones",
    _everywhere,
)


@api.commands.command("domains:add-global", every=True)
@api.commands.wait_option
@_domains
def domains_add_global(domains):
    """Add global domains: every app gets a name below each. All apps are rerouted, one after the other.

    \b
    e.g.: domains:add-global apps.example.org
    """
    from plugins.domains import change

    new = change.parse_global(domains)
    change.apply_global(lambda present: [*present, *new])


@api.commands.command("domains:remove-global", every=True)
@api.commands.wait_option
@_domains
def domains_remove_global(domains):
    """Remove global domains. All apps are rerouted, one after the other.

    \b
    e.g.: domains:remove-global apps.example.org
    """
    from plugins.domains import change

    gone = change.parse_global(domains)

    def remove(present):
        missing = [name for name in gone if name not in present]
        if missing:
            raise api.errors.UsageError(
                f"{change.shown(missing)} is not among the global domains", "domains:report --global"
            )
        return [name for name in present if name not in gone]

    change.apply_global(remove)


@api.commands.command("domains:set-global", every=True)
@api.commands.wait_option
@_domains
def domains_set_global(domains):
    """Make exactly these the global domains. All apps are rerouted, one after the other.

    \b
    e.g.: domains:set-global apps.example.org
    """
    from plugins.domains import change

    new = change.parse_global(domains)
    change.apply_global(lambda present: new)


@api.commands.command("domains:clear-global", every=True)
@api.commands.wait_option
def domains_clear_global():
    """Remove all global domains: apps keep only the domains they were given. All apps are rerouted.

    \b
    e.g.: domains:clear-global
    """
    from plugins.domains import change

    change.apply_global(lambda present: [])
