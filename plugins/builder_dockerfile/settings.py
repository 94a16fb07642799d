"""What an app's owner may set of the builds of its Dockerfile. Pure."""

import re

from minipaas_lib import api

TABLE = "builder-dockerfile"
DEFAULT_PATH = "Dockerfile"
TIMEOUT = 30 * 60  # seconds
_LONGEST = 24 * 60 * 60  # seconds
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
PROPERTIES = ("dockerfile-path", "build-args", "target", "secrets", "no-cache", "timeout")
FOR_ALL = ("dockerfile-path", "no-cache", "timeout")  # the others name what only one app's Dockerfile or config has

# Values travel to the docker client in its environment; these would steer the client itself.
_REFUSED = frozenset(
    {"PATH", "HOME", "TMPDIR", "IFS", "ENV", "BASH_ENV", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"}
)
_REFUSED_PREFIXES = ("LD_", "DOCKER_", "BUILDKIT_", "BUILDX_", "SSL_CERT_", "OTEL_", "GODEBUG", "GOTRACEBACK", "GIT_")


def effective(app) -> dict:
    """What is set of builds of an app (None: of any): its own over what holds for all apps."""
    everywhere = api.kernel.platform().get(TABLE, {})
    return {key: everywhere[key] for key in FOR_ALL if key in everywhere} | (app.table(TABLE) if app else {})


def dockerfile_path(app) -> str:
    """The path of the app's Dockerfile in its repository."""
    return effective(app).get("dockerfile-path") or DEFAULT_PATH


def build_args(app) -> list[str]:
    """The names of the config variables that become build arguments."""
    return list(app.table(TABLE).get("build-args", []))


def secrets(app) -> list[str]:
    """The names of the config variables that builds get as BuildKit secrets."""
    return list(app.table(TABLE).get("secrets", []))


def target(app) -> str:
    """The stage to build; empty for the last one."""
    return app.table(TABLE).get("target", "")


def no_cache(app) -> bool:
    """Whether every build does all its steps."""
    return bool(effective(app).get("no-cache", False))


def timeout(app) -> int:
    """How long a build may take, in seconds."""
    return int(effective(app).get("timeout", TIMEOUT))


def parse(name: str, value: str):
    """The value of a property as it is stored. Raises errors.UsageError."""
    parsers = {
        "dockerfile-path": parse_path,
        "build-args": parse_build_args,
        "target": parse_target,
        "secrets": parse_names,
        "no-cache": parse_no_cache,
        "timeout": parse_timeout,
    }
    if name in parsers:
        return parsers[name](value)
    raise api.errors.UsageError(f"there is no property {api.names.safe(name)}", "one of: " + ", ".join(PROPERTIES))


def parse_path(text: str) -> str:
    """A path inside the repository, unchanged. Raises errors.UsageError."""
    parts = text.split("/")
    if (
        len(text) > 255
        or not re.fullmatch(r"[^\x00-\x1f\x7f]+", text)
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not a path inside the repository", "give a path such as: docker/Dockerfile"
        )
    return text


def parse_names(text: str) -> list[str]:
    """`NAME,NAME` as sorted names of config variables. Raises errors.UsageError."""
    return sorted({api.names.settable_config_name(name) for name in (piece.strip(" ") for piece in text.split(","))})


def parse_build_args(text: str) -> list[str]:
    """As parse_names. Raises errors.UsageError also for a name that would steer the docker client."""
    found = parse_names(text)
    for name in found:
        if steers(name):
            raise api.errors.UsageError(
                f"{name} cannot be a build argument: it would change the docker client itself",
                f"config:set <app> APP_{name}=... and use that name in the Dockerfile",
            )
    return found


def steers(name: str) -> bool:
    """Whether a variable of that name in its environment would change what the docker client does."""
    return name.upper() in _REFUSED or name.upper().startswith(_REFUSED_PREFIXES)


def parse_target(text: str) -> str:
    """The name of a stage (`FROM ... AS name`), unchanged. Raises errors.UsageError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,127}", text):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not the name of a stage", "give the name after AS in: FROM ... AS release"
        )
    return text


def parse_no_cache(text: str) -> bool:
    """Raises errors.UsageError."""
    if text not in ("true", "false"):
        raise api.errors.UsageError(
            f"no-cache is true or false, not {api.names.safe(text)}", "builder-dockerfile:set <app> no-cache true"
        )
    return text == "true"


def parse_timeout(text: str) -> int:
    """`900`, `90s`, `45m` or `2h` in seconds. Raises errors.UsageError."""
    found = re.fullmatch("([0-9]{1,6})([smh]?)", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1 <= seconds <= _LONGEST:
        said = f"{api.names.safe(text)} is not a time between 1 second and 24 hours"
        raise api.errors.UsageError(said, "give seconds, or such as: 45m")
    return seconds


def span(seconds: float) -> str:
    """A length of time for people: `90 seconds`, `30 minutes`."""
    return f"{seconds:g} seconds" if seconds < 120 or seconds % 60 else f"{seconds / 60:.0f} minutes"
