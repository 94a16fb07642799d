"""What can be set of registries: the table [registry] of an app's document and of the platform's. Pure."""

import re

from minipaas_lib import api

TABLE = "registry"
PROPERTIES = ("server", "image-repo", "push-on-release")
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
# A name without a dot or a port is a person's on Docker Hub to docker (distribution/reference).
_SERVER = rf"(?:{_LABEL}(?:\.{_LABEL})+(?::[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|localhost)"
_REPOSITORY = r"[a-z0-9]+(?:(?:\.|_{1,2}|-{1,9})[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-{1,9})[a-z0-9]+)*)*"


def server(text: str) -> str:
    """The host of a registry, with a port perhaps, unchanged. Raises errors.UsageError."""
    port = text.partition(":")[2]
    if len(text) > 250 or not re.fullmatch(_SERVER, text) or (port and not 0 < int(port) < 65536):
        raise api.errors.UsageError(
            f"{api.names.safe(text)} is not the host of a registry",
            "give one such as: ghcr.io or registry.example.org:5000",
        )
    return text


def parse(key: str, text: str) -> str | bool:
    """The value of a property as it is stored. Raises errors.UsageError."""
    if key == "server":
        return server(text)
    if key == "image-repo":
        if len(text) > 200 or not re.fullmatch(_REPOSITORY, text):
            raise api.errors.UsageError(
                f"{api.names.safe(text)} is not a path in a registry", "give one such as: anna/blog"
            )
        return text
    if key == "push-on-release":
        if text not in ("true", "false"):
            raise api.errors.UsageError(
                f"push-on-release is true or false, not {api.names.safe(text)}",
                "registry:set <app> push-on-release true",
            )
        return text == "true"
    raise api.errors.UsageError(f"there is no {api.names.safe(key)} to set", "one of: " + ", ".join(PROPERTIES))


def of(app: "api.App", platform: dict) -> dict:
    """What holds for an app: server (str), image-repo (str), push-on-release (bool)."""
    everywhere = platform.get(TABLE, {})
    merged = {**(everywhere if isinstance(everywhere, dict) else {}), **app.table(TABLE)}
    return {
        "server": merged.get("server", ""),
        "image-repo": app.table(TABLE).get("image-repo", "") or f"minipaas/{app.name}",
        "push-on-release": merged.get("push-on-release", False) is True,
    }


def check(chosen: dict, app: str = "") -> None:
    """Refuse, for an app or for all, what releases could not be sent to. Raises errors.UsageError."""
    if not chosen["push-on-release"]:
        return
    name = target(chosen, 1)
    if api.kernel.image.named_app(name):  # a name of ours; docker would take it away from the release
        raise api.errors.UsageError(
            f"{name.partition(':')[0]} cannot be pushed to Docker Hub: the path has no account name",
            f"name a server: registry:set {app or '--global'} server <host>"
            + (f", or: registry:set {app} image-repo <you>/{app}" if app else ""),
        )
    if len(name) > 250:
        raise api.errors.UsageError(
            f"server and image-repo have {len(name)} characters together; docker allows 250", "give a shorter path"
        )


def target(chosen: dict, number: int) -> str:
    """The name under which the image of a release is in its registry."""
    prefix = f"{chosen['server']}/" if chosen["server"] else ""
    return f"{prefix}{chosen['image-repo']}:v{number}"
