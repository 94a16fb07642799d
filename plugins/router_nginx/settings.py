"""The properties of `nginx:set`, for an app or for all: each with its default and its valid values."""

import re
from typing import NamedTuple

from minipaas_lib import api

TABLE = "nginx"  # of an app's document, and of the platform's
_SIZE = "(0|[1-9][0-9]{0,5}[km]?|[1-9][0-9]{0,2}g)"
_BUFFER = "([4-9]|[1-9][0-9]|[1-4][0-9]{2}|50[0-9]|51[0-2])k"
_TIME = "[1-9][0-9]{0,4}(ms|s|m|h)?"
_SWITCH = "on|off"
_CONNECTIONS = "0|[1-9][0-9]{0,2}"
_SWITCH_WORDS = {"true": "on", "yes": "on", "false": "off", "no": "off"}


class Property(NamedTuple):
    default: str
    pattern: str  # the whole value matches it
    example: str
    help: str


PROPERTIES = {
    "access-log": Property("on", _SWITCH, "off", "Whether requests are logged"),
    "client-body-timeout": Property("60s", _TIME, "60s", "The longest pause of a client that sends a body"),
    "client-max-body-size": Property("10m", _SIZE, "100m", "The largest request body; 0 for no limit"),
    "custom-template": Property("off", _SWITCH, "on", "Whether nginx.conf.j2 of the repository is used"),
    "gzip": Property("on", _SWITCH, "off", "Whether text is compressed"),
    "keepalive": Property("128", _CONNECTIONS, "32", "Idle connections that each nginx worker keeps to the app"),
    "keepalive-timeout": Property("75s", _TIME, "75s", "How long an idle connection of a client is kept"),
    "proxy-buffer-size": Property("8k", _BUFFER, "16k", "For the headers of an answer; raise it for large cookies"),
    "proxy-buffering": Property("on", _SWITCH, "off", "Whether answers are buffered; off for streams"),
    "proxy-connect-timeout": Property("5s", _TIME, "5s", "How long a process may take to accept a connection"),
    "proxy-max-temp-file-size": Property(
        "8m", "0|[1-9][0-9]{0,3}m|[1-9]g", "100m", "What of an answer waits on disk for a client that reads slowly"
    ),
    "proxy-read-timeout": Property("60s", _TIME, "120s", "The longest pause of the app that sends an answer"),
    "proxy-request-buffering": Property("on", _SWITCH, "off", "Whether a body is read whole before the app gets it"),
    "proxy-send-timeout": Property("60s", _TIME, "120s", "The longest pause of the app that reads a request"),
    "send-timeout": Property("60s", _TIME, "60s", "The longest pause of a client that reads an answer"),
    "trusted-proxy": Property(
        "off",
        f"{_SWITCH}|[0-9a-f.:/,]{{2,2000}}",
        "10.0.0.0/8,192.0.2.7",
        "The addresses of proxies whose X-Forwarded-* is trusted; on for every client",
    ),
    "websocket-timeout": Property("1h", _TIME, "24h", "How long an upgraded connection may be idle"),
}
# nginx reads these before it knows which app a request is for, so they are those of all apps.
EVERYWHERE = {
    "client-header-timeout": Property("20s", _TIME, "60s", "How long a client may take to send all its headers"),
    "large-client-header-buffers": Property(
        "4 8k", "[1-8] ([1-9]|[1-5][0-9]|6[0-4])k", "4 32k", "How many lines of headers of which size are taken"
    ),
    "underscores-in-headers": Property("off", _SWITCH, "on", "Whether headers with _ in their names are passed on"),
}
EVERYBODY = ("0.0.0.0/0", "::/0")
_NETWORKS = 64
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}

DEFAULTS = {name: about.default for name, about in PROPERTIES.items()}
EVERYWHERE_DEFAULTS = {name: about.default for name, about in EVERYWHERE.items()}


def check_scope(name: str, value: str, app: str | None) -> None:
    """Raises errors.UsageError if a property cannot be set for an app, or (app is None) for all of them."""
    value = f" {value}" if value else ""
    if app is None and name in PROPERTIES:
        raise api.errors.UsageError(f"{name} is a property of each app", f"nginx:set <app> {name}{value}")
    if app is not None and name in EVERYWHERE:
        raise api.errors.UsageError(
            f"nginx reads {name} before it knows which app a request is for, so all apps have the same",
            f"nginx:set --global {name}{value}",
        )


def check(name: str, value: str) -> str:
    """The value as it is stored. Raises errors.UsageError for an unknown property or an invalid value."""
    about = (PROPERTIES | EVERYWHERE).get(name)
    if about is None:
        raise api.errors.UsageError(
            f"there is no nginx property {api.names.safe(name)}", "one of: " + " ".join(sorted(PROPERTIES | EVERYWHERE))
        )
    kept = value.lower()
    if about.pattern.startswith(_SWITCH):
        kept = _SWITCH_WORDS.get(kept, kept)
    if name == "trusted-proxy" and kept not in ("on", "off"):
        kept = _networks(kept)
    if not re.fullmatch(about.pattern, kept):
        raise api.errors.UsageError(f"{api.names.safe(value)} is not a value of {name}", f"try: {name} {about.example}")
    return kept


def _networks(text: str) -> str:
    """The addresses and networks of a list, each once, in nginx's form; empty if it is not such a list."""
    import ipaddress

    words = re.split(r"[,\s]+", text.strip(", "))[: _NETWORKS + 1]
    try:
        networks = [ipaddress.ip_network(word, strict=False) for word in words]
    except ValueError:
        return ""
    found = {str(one if one.num_addresses > 1 else one.network_address) for one in networks}
    return ",".join(sorted(found)) if len(words) <= _NETWORKS else ""


def proxies(trusted_proxy: str) -> list[str]:
    """The networks in the property; none if it is on or off."""
    return [] if trusted_proxy in ("on", "off") else trusted_proxy.split(",")


def websocket_timeout(complete: dict[str, str]) -> str:
    """How long an upgraded connection may be idle: no shorter than the pause of an answer, unless somebody chose so."""
    chosen, of_answers = complete["websocket-timeout"], complete["proxy-read-timeout"]
    if chosen == DEFAULTS["websocket-timeout"] and _milliseconds(of_answers) > _milliseconds(chosen):
        return of_answers
    return chosen


def _milliseconds(time: str) -> int:
    found = re.fullmatch("([0-9]+)(ms|s|m|h)?", time)
    if not found:
        raise ValueError(f"{time} is no time as nginx writes it")
    return int(found[1]) * _MILLISECONDS[found[2] or "s"]


def complete(chosen: dict) -> dict[str, str]:
    """All properties with the values of an app. Raises errors.BadConfig if one is not what `check` lets in.

    What former versions let in for an app, without effect, is passed over.
    """
    chosen = {name: value for name, value in chosen.items() if name not in EVERYWHERE}
    return DEFAULTS | _checked(chosen, "<app>")


def everywhere(chosen: dict) -> dict[str, str]:
    """All properties that all apps share, with the values chosen for this platform. Raises errors.BadConfig."""
    return EVERYWHERE_DEFAULTS | _checked(chosen, "--global")


def _checked(chosen: dict, target: str) -> dict[str, str]:
    known = EVERYWHERE if target == "--global" else PROPERTIES
    for name, value in chosen.items():
        try:
            valid = name in known and isinstance(value, str) and check(name, value) == value
        except api.errors.UsageError:
            valid = False
        if not valid:
            raise api.errors.BadConfig(
                f"the nginx property {api.names.safe(str(name))} cannot be {api.names.safe(str(value))}",
                f"to clear it: nginx:set {target} {name}",
            )
    return chosen


def chosen(app: "api.App") -> dict[str, str]:
    """The properties that were set for an app."""
    return {name: str(value) for name, value in app.table(TABLE).items() if name not in EVERYWHERE}


def chosen_everywhere(platform: dict) -> dict[str, str]:
    """The properties that were set for all apps, from the platform's document."""
    return {name: str(value) for name, value in platform.get(TABLE, {}).items()}


def report(app: "api.App") -> dict[str, str]:
    """All properties of an app, by name."""
    return DEFAULTS | chosen(app)
