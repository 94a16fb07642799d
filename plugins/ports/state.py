"""The ports in the app's document: `[ports] map = ["http:80:5000"]`, or nothing."""

from minipaas_lib import api
from plugins.ports import mapping
from plugins.ports.mapping import Mapping

_DEFAULT_PORT = 5000


def chosen(app: "api.App") -> list[Mapping]:
    """The mappings that were set, by port of the host; empty for the default. Raises errors.BadConfig."""
    try:
        return sorted((mapping.parse(str(text)) for text in app.table("ports").get("map", [])), key=_host_port)
    except api.errors.UsageError as error:
        raise api.errors.BadConfig(f"the ports of {app.name}: {error.message}", f"ports:clear {app.name}") from None


def default(app: "api.App") -> list[Mapping]:
    """The default mapping: port 80 to the PORT of web processes."""
    live = api.live_release(app.name)
    wanted = api.merged_config(app).get("PORT", "")
    told = int(wanted) if wanted.isascii() and wanted.isdigit() else _DEFAULT_PORT
    return [Mapping("http", 80, live.port if live else told)]


def effective(app: "api.App") -> list[Mapping]:
    return chosen(app) or default(app)


def rows(app: "api.App") -> dict:
    return {"ports-map": [str(m) for m in effective(app)], "ports-custom": bool(chosen(app))}


def added(present: list[Mapping], new: list[Mapping], app: str) -> list[Mapping]:
    """Both, each once. Raises errors.UsageError if two want one port of the host."""
    joined = list(dict.fromkeys([*present, *new]))
    for earlier, later in mapping.conflicts(joined):
        raise api.errors.UsageError(
            f"port {later.host_port} of the host is mapped already: {earlier}",
            f"first: ports:remove {app} {earlier.host_port}",
        )
    return sorted(joined, key=_host_port)


def without(present: list[Mapping], words: tuple[str, ...], app: str) -> list[Mapping]:
    """The mappings that none of the words (a mapping, or a port of the host) names. Raises errors.UsageError."""
    left = list(present)
    for word in words:
        named = [m for m in present if word in (str(m), str(m.host_port))]
        if not named:
            there = " ".join(str(m) for m in present)
            raise api.errors.UsageError(f"{app} has no port mapping {api.names.safe(word)}", f"it has: {there}")
        left = [m for m in left if m not in named]
    if not left:
        raise api.errors.UsageError(
            f"this would leave {app} without any port",
            f"for the default: ports:clear {app}; for none: proxy:disable {app}",
        )
    return left


def write(document, mappings: list[Mapping]) -> None:
    """Change the data of a document; an empty list is the default."""
    if mappings:
        document["ports"] = {"map": [str(m) for m in mappings]}
    else:
        document.pop("ports", None)


def _host_port(mapping: Mapping) -> int:
    return mapping.host_port
