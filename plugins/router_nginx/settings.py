"""What `nginx:set` can set for an app: each property, its default and what its value may look like."""

import re
from typing import NamedTuple

from minipaas_lib import api

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
    "client-header-timeout": Property("60s", _TIME, "60s", "How long a client may take to send its headers"),
    "client-max-body-size": Property("10m", _SIZE, "100m", "The largest request body; 0 for no limit"),
    "custom-template": Property("off", _SWITCH, "on", "Whether nginx.conf.j2 of the repository is used"),
    "gzip": Property("on", _SWITCH, "off", "Whether text is compressed"),
    "keepalive": Property("128", _CONNECTIONS, "32", "Idle connections that each nginx worker keeps to the app"),
    "keepalive-timeout": Property("75s", _TIME, "75s", "How long an idle connection of a client is kept"),
    "proxy-buffer-size": Property("8k", _BUFFER, "16k", "For the headers of an answer; raise it for large cookies"),
    "proxy-buffering": Property("on", _SWITCH, "off", "Whether answers are buffered; off for streams"),
    "proxy-connect-timeout": Property("5s", _TIME, "5s", "How long a process may take to accept a connection"),
    "proxy-read-timeout": Property("60s", _TIME, "120s", "The longest pause of the app that sends an answer"),
    "proxy-request-buffering": Property("on", _SWITCH, "off", "Whether a body is read whole before the app gets it"),
    "proxy-send-timeout": Property("60s", _TIME, "120s", "The longest pause of the app that reads a request"),
    "send-timeout": Property("60s", _TIME, "60s", "The longest pause of a client that reads an answer"),
    "trusted-proxy": Property("off", _SWITCH, "on", "Whether X-Forwarded-* of a proxy before this host are passed on"),
}

DEFAULTS = {name: about.default for name, about in PROPERTIES.items()}


def check(name: str, value: str) -> str:
    """The value as it is kept. Raises errors.UsageError for an unknown property or a value it cannot have."""
    about = PROPERTIES.get(name)
    if about is None:
        raise api.errors.UsageError(
            f"there is no nginx property {api.names.safe(name)}", "one of: " + " ".join(sorted(PROPERTIES))
        )
    kept = value.lower()
    if about.pattern == _SWITCH:
        kept = _SWITCH_WORDS.get(kept, kept)
    if not re.fullmatch(about.pattern, kept):
        raise api.errors.UsageError(f"{api.names.safe(value)} is not a value of {name}", f"try: {name} {about.example}")
    return kept


def complete(chosen: dict) -> dict[str, str]:
    """All properties with the values of an app. Raises errors.BadConfig where one is not what `check` lets in."""
    for name, value in chosen.items():
        try:
            valid = isinstance(value, str) and check(name, value) == value
        except api.errors.UsageError:
            valid = False
        if not valid:
            raise api.errors.BadConfig(
                f"the nginx property {api.names.safe(str(name))} cannot be {api.names.safe(str(value))}",
                "clear it with: nginx:set <app> <property>",
            )
    return DEFAULTS | chosen


def chosen(app: "api.App") -> dict[str, str]:
    """The properties that somebody set for an app."""
    return {name: str(value) for name, value in app.table("nginx").items()}


def report(app: "api.App") -> dict[str, str]:
    """All properties of an app, by name."""
    return DEFAULTS | chosen(app)
