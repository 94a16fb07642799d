"""What an app's owner may set: the path of the Dockerfile, and which config becomes build arguments. Pure."""

import re

from minipaas_lib import api

TABLE = "builder-dockerfile"
DEFAULT_PATH = "Dockerfile"
PROPERTIES = ("dockerfile-path", "build-args")

# Values travel to the docker client in its environment; these would steer the client itself.
_REFUSED = frozenset(
    {"PATH", "HOME", "TMPDIR", "IFS", "ENV", "BASH_ENV", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"}
)
_REFUSED_PREFIXES = ("LD_", "DOCKER_", "BUILDKIT_", "BUILDX_", "SSL_CERT_", "OTEL_", "GODEBUG", "GOTRACEBACK", "GIT_")


def dockerfile_path(app) -> str:
    """The path of the app's Dockerfile in its repository."""
    return app.table(TABLE).get("dockerfile-path") or DEFAULT_PATH


def build_args(app) -> list[str]:
    """The names of the config variables that become build arguments."""
    return list(app.table(TABLE).get("build-args", []))


def parse(name: str, value: str):
    """The value of a property as it is stored. Raises errors.UsageError."""
    if name == "dockerfile-path":
        return parse_path(value)
    if name == "build-args":
        return parse_build_args(value)
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


def parse_build_args(text: str) -> list[str]:
    """`NAME,NAME` as sorted names. Raises errors.UsageError for what is no name, or would steer the docker client."""
    found = set()
    for name in (piece.strip(" ") for piece in text.split(",")):
        api.names.settable_config_name(name)
        if name.upper() in _REFUSED or name.upper().startswith(_REFUSED_PREFIXES):
            raise api.errors.UsageError(
                f"{name} cannot be a build argument: it would change the docker client itself",
                f"config:set <app> APP_{name}=... and use that name in the Dockerfile",
            )
        found.add(name)
    return sorted(found)
