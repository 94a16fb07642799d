"""Change the domains of an app, or the global ones."""

from minipaas_lib import api
from plugins.domains import names, owners

LIMIT = 5000  # domains of one app
GLOBAL_LIMIT = 100  # global domains: every app has a name below each
_NAMED = 10  # domains that a sentence lists before it counts
_PATIENCE = 60.0  # seconds to wait for another change of domains; one takes about as long as a reload of the router
_GLOBAL_LIMIT = names.NAME_LIMIT - names.LABEL_LIMIT - 1  # characters, so that <app>.<global domain> is a name


def parse(words: tuple[str, ...]) -> list[str]:
    """The domains typed, in their normal form, each once. Raises errors.UsageError."""
    if not words:
        raise api.errors.UsageError("no domain is given", f"{api.caller.command()} --help")
    return list(dict.fromkeys(names.domain(word) for word in words))


def parse_global(words: tuple[str, ...]) -> list[str]:
    """As parse, for domains below which every app gets a name."""
    domains = parse(words)
    for name in domains:
        if name.startswith("*."):
            raise api.errors.UsageError(
                f"{name} cannot be a global domain: apps answer at <app>.<global domain>", f"give only: {name[2:]}"
            )
        if len(name) > _GLOBAL_LIMIT:
            raise api.errors.UsageError(
                f"{name} has {len(name)} characters; a global domain has at most {_GLOBAL_LIMIT}",
                "give a shorter one",
            )
    return domains


def shown(listed: list[str]) -> str:
    """Domains for a sentence; international ones also as people read them."""
    pairs = [(name, names.display(name)) for name in listed]
    return " ".join(name if name == human else f"{human} ({name})" for name, human in pairs)


def lock():
    """The lock around everything that gives a domain to somebody."""
    return api.kernel.store().lock("domains", api.kernel.holder(), wait=_PATIENCE)


def apply(app: str, change, plan: bool = False) -> None:
    """Change the domains of an app; with `plan` only print what would be done.

    `change` is a function (own names, uses global, global domains) -> (own names, uses global). A name that another
    app has is refused; where nothing differs nothing is done. Raises errors.UsageError and what api.change raises.
    """
    with lock():
        present, everywhere = api.app(app), owners.global_domains()
        before = owners.own(present), owners.uses_global(present)
        given, use_global = change(*before, everywhere)
        after = sorted(set(given)), use_global
        if len(after[0]) > LIMIT and len(after[0]) > len(before[0]):
            said = f"that makes {len(after[0]):,} domains of {app}; the limit is {LIMIT:,}"
            raise api.errors.UsageError(said, f"domains:add {app} '*.example.org' adds all names below example.org")
        if after == (sorted(before[0]), before[1]):
            api.output.info(f"{app} already has these domains, nothing changed")
            return
        old = owners.wanted(present, everywhere)
        new = owners.wanted(with_domains(present, *after), everywhere)
        refuse_taken(sorted(set(new) - set(old)), app, everywhere)
        reason = describe(old, new)
        if plan:
            api.commands.print_plan(api.kernel.plan(app, reason, lambda document: write(document, *after)))
            return
        if api.change(app, reason, lambda document: write(document, *after)) is None:
            api.output.step(f"{app} {reason}")
        changed = api.app(app)
        found = owners.domains_of(changed, everywhere)
    if not found:
        api.output.info(f"{app} has no domain of its own any more; for the default ones: domains:reset {app}")
    api.notify("domains_changed", app=changed, domains=found)


def set_default(app: str) -> None:
    """Have the app answer for names that no app has. Raises errors.UsageError if another one does."""
    with lock():
        if owners.is_default(api.app(app)):
            api.output.info(f"{app} is already the default app, nothing changed")
            return
        refuse_second_default(app)
        _write_default(app, True, f"domains: {app} is the default app of this host")


def unset_default(app: str) -> None:
    """Have the app answer no more for names that no app has. Raises errors.UsageError if it does not."""
    with lock():
        if not owners.is_default(api.app(app)):
            others = owners.default_apps()
            named = others and api.kernel.authority.allows(api.caller.command(), others[0])
            hint = f"domains:unset-default {others[0]}" if named else f"domains:set-default {app}"
            raise api.errors.UsageError(f"{app} is not the default app of this host", hint)
        _write_default(app, False, f"domains: {app} is no longer the default app")


def refuse_second_default(app: str) -> None:
    """Raise errors.UsageError when another app answers for names that no app has."""
    for other in owners.default_apps():
        if other == app:
            continue
        if not api.kernel.authority.allows(api.caller.command(), other):
            raise api.errors.UsageError(
                "the default app of this host is an app that this key may not change", f"domains:report {app}"
            )
        raise api.errors.UsageError(f"{other} is the default app of this host", f"domains:unset-default {other}")


def _write_default(app: str, is_default: bool, reason: str) -> None:
    def edit(document) -> None:
        table = {key: value for key, value in document.get("domains", {}).items() if key != "default"}
        if is_default:
            table["default"] = True
        if table:
            document["domains"] = table
        else:
            document.pop("domains", None)

    if api.change(app, reason, edit) is None:
        api.output.step(reason)


def refuse_taken(wanted: list[str], app: str, everywhere: list[str]) -> None:
    """Raise errors.UsageError when another app has one of these."""
    taken = owners.owner(wanted, app, everywhere) if wanted else None
    if taken:
        name, other = taken
        if not api.kernel.authority.allows(api.caller.command(), other):
            raise api.errors.UsageError(
                f"{shown([name])} belongs to an app that this key may not change", f"domains:report {app}"
            )
        raise api.errors.UsageError(f"{shown([name])} belongs to app {other}", f"domains:remove {other} {name}")


def with_domains(app, chosen: list[str], use_global: bool):
    """The app as it would be with these domains."""
    document = dict(app.document)
    write(document, chosen, use_global)
    return api.App(app.name, document)


def write(document, chosen: list[str], use_global: bool) -> None:
    """Put the domains into an app's document, leaving out what is the default; other keys of the table stay."""
    table = document.get("domains", {})
    kept = {key: value for key, value in table.items() if key not in ("names", "use-global")}
    new = kept | ({"names": chosen} if chosen else {}) | ({} if use_global else {"use-global": False})
    if new:
        document["domains"] = new
    else:
        document.pop("domains", None)


def describe(before: list[str], after: list[str]) -> str:
    """What changes, for the release's reason."""
    added, removed = sorted(set(after) - set(before)), sorted(set(before) - set(after))
    parts = [f"{verb} {_listed(found)}" for verb, found in (("added", added), ("removed", removed)) if found]
    return "domains: " + (", ".join(parts) or "the same, now apart from the global ones")


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return shown(found[:_NAMED]) + more


def apply_global(change) -> None:
    """Change the global domains; `change` is a function from the present ones to the new ones. Reroutes all apps.

    Raises errors.DeployFailed if an app could not be rerouted; it then answers where it did before.
    """
    with lock():
        before = owners.global_domains()
        after = sorted(set(change(before)))
        if len(after) > GLOBAL_LIMIT and len(after) > len(before):
            raise api.errors.UsageError(
                f"that makes {len(after)} global domains; the limit is {GLOBAL_LIMIT}", "domains:report --global"
            )
        if after == before:
            api.output.info("the global domains are unchanged")
            return
        api.kernel.edit_platform(lambda document: write_global(document, after))
    reason = f"global domains: {shown(after) or 'none'}"
    api.output.step(reason)
    failed = api.change_all(reason)
    tell_all(before, after)
    if failed:
        raise api.errors.DeployFailed(
            f"{failed} of {len(api.app_names())} apps could not be routed again; they keep their old domains until "
            "their next release",
            "for each app named above: ps:restart <app>",
        )


def write_global(document, after: list[str]) -> None:
    """Put the global domains into the platform's document."""
    if "domains" not in document:
        document["domains"] = {}
    document["domains"]["global"] = after


def tell_all(before: list[str], after: list[str]) -> None:
    """Tell the plugins of every app whose domains differ now."""
    if "domains_changed" not in api.kernel.index.load().hooks:
        return
    for name in api.app_names():
        try:
            app = api.app(name)
            if owners.wanted(app, before) != owners.wanted(app, after):
                api.notify("domains_changed", app=app, domains=owners.domains_of(app, after))
        except api.errors.MinipaasError:
            continue  # api.change_all has named it
