"""Ensure that a build has what it needs: compare, prune, refuse."""

from minipaas_lib import api
from plugins.build_guard import host, needs, settings
from plugins.build_guard.settings import size

WORDS = {
    "disk": "disk space where docker keeps images",
    "inodes": "inodes (files) where docker keeps images",
    "state": "disk space where minipaas keeps its state",
    "memory": "memory",
}


def make(app, folder: str) -> None:
    """Prune where too little is free for a build of the app. `folder` is docker's.

    Raises errors.BuildFailed if it is still too little.
    """
    need = needs.needed(last(app.name), wanted(app))
    free = host.free(folder)
    for keep in (everywhere("keep-cache"), 0):
        if not {"disk", "inodes", "state"} & {*needs.short_of(free, need)}:
            break
        free = prune(folder, free, keep)
    if short := needs.short_of(free, need):
        raise refusal(app.name, short[0], free, need)


def prune(folder: str, before: needs.Free, keep: int) -> needs.Free:
    """Remove docker's build cache down to `keep` bytes and untagged images of minipaas; return what is free then."""
    what = "the build cache" + (f" down to {size(keep)}" if keep else "")
    api.output.info(f"space is low: pruning {what} and untagged images")
    host.docker("image", "prune", "--force", "--filter", "label=minipaas.app")
    host.docker("builder", "prune", "--force", "--all", "--keep-storage", str(keep))
    after = host.free(folder)
    api.output.info(f"pruning freed {size(after.disk - before.disk)}; {size(after.disk)} are now free")
    return after


def refusal(app: str, name: str, free: needs.Free, need: needs.Free) -> Exception:
    """The error for a build that would not have enough of `name`."""
    show = str if name == "inodes" else size
    available, required = show(getattr(free, name)), show(getattr(need, name))
    message = f"{app} is not built: it needs {required} of {WORDS[name]}, and {available} are free"
    if name == "state":
        return api.errors.BuildFailed(message, f"make room: df -h {api.paths.root()}")
    ways = {
        "memory": "scale an app down: ps:scale <app> web=1",
        "disk": "free some: docker system df",
        "inodes": "free some: df -i",
    }
    lower = f"guard:set {app} min-free-{name} {_less(name, free)}"
    return api.errors.BuildFailed(message, f"{ways[name]}; or lower the bar: {lower}")


def _less(name: str, free: needs.Free) -> str:
    available = getattr(free, name)
    return str(available // 2) if name == "inodes" else f"{max(available >> 21, 1)}m"


def wanted(app) -> dict[str, int]:
    """What was set to be free before a build, the app's own over the platform's."""
    table = api.kernel.platform().get(settings.TABLE, {}) | (app.table(settings.TABLE) if app else {})
    return {key: value for key, value in table.items() if key in settings.MEASURES}


def everywhere(key: str):
    """A setting that all builds share."""
    default = {"build-memory": "auto", "keep-cache": settings.KEEP_CACHE}[key]
    return api.kernel.platform().get(settings.TABLE, {}).get(key, default)


def build_memory() -> int:
    """Bytes of memory that builds may use now; 0 is no cap."""
    table = host.memory()
    return needs.cap(table["MemTotal"], table.get("MemAvailable", table["MemTotal"]), everywhere("build-memory"))


def path(app: str) -> str:
    return f"apps/{app}/guard.toml"


def last(app: str) -> needs.Free | None:
    """What the last build of the app took."""
    try:
        table = api.kernel.documents.read(api.kernel.store(), path(app))
        return needs.Free(**{name: int(table[name]) for name in needs.Free._fields})
    except (api.errors.MinipaasError, KeyError, TypeError, ValueError):
        return None  # none yet, or a record that cannot be read, which is not worth an error


def remember(app: str, before: needs.Free, lowest: needs.Free) -> None:
    """Record what a build took. Raises errors.MinipaasError."""
    api.kernel.documents.write(api.kernel.store(), path(app), needs.took(before, lowest)._asdict())


def report(app=None) -> dict:
    """The lines of guard:report, for an app or for the host."""
    free, limit = host.free(host.engine().folder), build_memory()
    need = needs.needed(last(app.name) if app else None, wanted(app))
    rows = {}
    for name in needs.Free._fields:
        show = str if name == "inodes" else size
        rows[f"guard-free-{name}"] = show(getattr(free, name))
        rows[f"guard-needed-{name}"] = show(getattr(need, name))
    if app:
        rows["guard-last-build"] = "noted" if last(app.name) else "none yet"
    else:
        rows["guard-keep-cache"] = size(everywhere("keep-cache"))
    return rows | {"guard-build-memory": size(limit) if limit else "no cap"}
