"""The credentials of registries, as docker's own client keeps them: a config.json for all apps, and one for an app.

The files are 0600 in a folder of ours, and not in the store: no listing, release or clone of an app's document has
them.
"""

import json
import os
import shutil

from minipaas_lib import api

_EVERYWHERE = "global"  # no app may be named so


def folder(app: str = "") -> str:
    """The folder for docker's client of an app, or without one of all apps."""
    return os.path.join(api.paths.plugin_data("registry"), "own", app or _EVERYWHERE)


def servers(app: str = "") -> list[str]:
    """The registries that there are credentials for."""
    return sorted(_read(folder(app)).get("auths", {}))


def login(server: str, user: str, password: bytes, app: str = "") -> None:
    """Have docker try the credentials and keep them. Raises errors.Denied for a server that refuses them."""
    place = folder(app)
    os.makedirs(place, mode=0o700, exist_ok=True)
    status, said = _docker(place, "login", "--username", user, "--password-stdin", server, input=password)
    if status:
        why = said.strip().splitlines()[-1:] or ["docker gave no reason"]
        shown = api.output.tame(why[0])[:300]
        if hint := api.kernel.downloads.by_docker(said, server):
            raise api.errors.Unavailable(f"{server} cannot be reached: {shown}", hint)
        raise api.errors.Denied(f"{server} refuses {api.names.safe(user)}: {shown}", "check the user and the password")


def logout(server: str, app: str = "") -> None:
    """Forget the credentials of a registry. Raises errors.NotFound if there are none."""
    key = "https://index.docker.io/v1/" if server in ("docker.io", "index.docker.io") else server
    if key not in _read(folder(app)).get("auths", {}):
        raise api.errors.NotFound(f"there is no login for {server}" + (f" for {app}" if app else ""), "registry:report")
    _docker(folder(app), "logout", server)


def forget(app: str) -> None:
    """Remove an app's credentials."""
    for place in (folder(app), _merged(app)):
        api.kernel.folders.remove(place)


def rename(former: str, app: str) -> None:
    """Move an app's credentials to its new name."""
    forget(app)
    if os.path.isdir(folder(former)):
        os.rename(folder(former), folder(app))
    forget(former)


def for_docker(app: str) -> str | None:
    """The folder with what an app may use: its own credentials over those of all apps; None if there are none."""
    everywhere, own = _read(folder()).get("auths", {}), _read(folder(app)).get("auths", {})
    if not own:
        return folder() if everywhere else None
    place = _merged(app)
    content = json.dumps({"auths": {**everywhere, **own}})
    os.makedirs(place, mode=0o700, exist_ok=True)
    fresh = os.path.join(place, f"config.json.{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    os.rename(fresh, os.path.join(place, "config.json"))
    return place


def push(app: str, image: str, name: str) -> None:
    """Push an image to its registry as `name`. Raises errors.Unavailable, which refuses the release."""
    place = for_docker(app)
    status, said = _docker(place, "tag", image, name)
    try:
        if status == 0:
            status, said = _docker(place, "push", "--quiet", name)
    finally:
        _docker(place, "image", "rm", "--no-prune", name)
    if status:
        why = said.strip().splitlines()[-1:] or ["docker gave no reason"]
        server = name.partition("/")[0]
        raise api.errors.Unavailable(
            f"the image cannot be pushed to {name}: {api.output.tame(why[0])[:300]}",
            api.kernel.downloads.by_docker(said, server)
            or f"registry:login {app} {server} <user>, or: registry:set {app} push-on-release false",
        )


def _merged(app: str) -> str:
    return os.path.join(api.paths.plugin_data("registry"), "merged", app)


def _read(place: str) -> dict:
    try:
        with open(os.path.join(place, "config.json"), encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("auths", {}), dict) else {}


def _docker(place: str | None, *words: str, input: bytes = b"") -> tuple[int, str]:
    """Exit status and what was said on stderr; the password is on stdin, never in the arguments."""
    import subprocess

    client = "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else shutil.which("docker")
    if not client:
        raise api.errors.Unavailable(
            "there is no docker client on this host", "on the host: sudo apt-get install docker.io"
        )
    command = [client, *(["--config", place] if place else []), *words]
    try:
        done = subprocess.run(command, input=input, capture_output=True, timeout=1800)
    except subprocess.TimeoutExpired:
        raise api.errors.Unavailable(f"docker {words[0]} did not finish within 30 minutes", "doctor") from None
    return done.returncode, done.stderr.decode("utf-8", "replace")
