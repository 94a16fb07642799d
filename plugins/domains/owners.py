"""Which app a domain belongs to.

An app has the names in its own table, `[domains] names`, and, unless `use-global` is false there, one default name
below each global domain: `blog.<global domain>`. A name that an app was given wins over another app's default: that
case arises when the app or the global domain came later.
"""

import re

from minipaas_lib import api


def global_domains() -> list[str]:
    """The global domains, sorted."""
    return sorted(api.kernel.platform().get("domains", {}).get("global", []))


def defaults(app: str, everywhere: list[str]) -> list[str]:
    """The default names of an app, whoever has them."""
    return [f"{app}.{domain}" for domain in everywhere]


def uses_global(app) -> bool:
    """Whether the app takes its default names."""
    return app.table("domains").get("use-global", True) is not False


def own(app) -> list[str]:
    """The names the app was given."""
    return list(app.table("domains").get("names", []))


def is_default(app) -> bool:
    """Whether the app answers, on port 80, for names that no app has."""
    return app.table("domains").get("default", False) is True


def default_apps() -> list[str]:
    """The apps whose documents say so: one, or more where somebody has put back a document by hand."""
    return [name for name, text in sorted(texts().items()) if "default" in text and is_default(api.app(name))]


def wanted(app, everywhere: list[str]) -> list[str]:
    """All names of the app, sorted, as if there were no other app."""
    return sorted({*own(app), *(defaults(app.name, everywhere) if uses_global(app) else ())})


def domains_of(app, everywhere: list[str], texts: dict[str, str] | None = None) -> list[str]:
    """The domains the app answers at, sorted: a default name that another app was given is not among them.

    `texts` is what texts() gave, for a caller that asks for many apps.
    """
    names = wanted(app, everywhere)
    doubtful = set(names) - set(own(app))
    if not doubtful:
        return names
    taken = {name for _, name in _given(doubtful, app.name, texts)}
    return [name for name in names if name not in taken]


def report(app, texts: dict[str, str] | None = None) -> dict:
    """The lines about the app's domains."""
    everywhere = global_domains()
    domains = domains_of(app, everywhere, texts)
    return {
        "domains-app-enabled": bool(domains),
        "domains-app-vhosts": domains,
        "domains-app-use-global": uses_global(app),
        "domains-app-default": is_default(app),
        "domains-global-enabled": bool(everywhere),
        "domains-global-vhosts": everywhere,
    }


def owner(names: list[str], asker: str, everywhere: list[str]) -> tuple[str, str] | None:
    """The first found of `names` that another app than `asker` has, with that app's name; None when all are free.

    Raises errors.BadConfig if the document of an app that seems to have one cannot be read.
    """
    present = texts()
    for other, name in _given(set(names), asker, present):
        return name, other
    by_default = {name: other for other in present if other != asker for name in defaults(other, everywhere)}
    for name in names:
        if name in by_default and uses_global(api.app(by_default[name])):
            return name, by_default[name]
    return None


def texts() -> dict[str, str]:
    """The documents of all apps as text, by app; one that is not even text is left out: it stops that app alone."""
    store, found = api.kernel.store(), {}
    for name in store.children("apps"):
        try:
            found[name] = store.read(f"apps/{name}/app.toml").text
        except (api.errors.NotFound, api.errors.BadConfig):
            continue
    return found


def _given(names: set[str], asker: str, present: dict[str, str] | None = None):
    """Yield (app, name) for each of `names` in the table of another app than `asker`.

    A document is parsed only where its text has one of the names: with hundreds of apps that is what takes time.
    """
    for other, text in (texts() if present is None else present).items():
        if other != asker and "domains" in text and not names.isdisjoint(re.findall("[a-z0-9.*-]+", text)):
            for name in sorted(names.intersection(own(api.app(other)))):
                yield other, name
