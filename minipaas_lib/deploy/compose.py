"""Compose a release from an app's wishes and a build, or from the live release; and containers from a release."""

import dataclasses
import re

from minipaas_lib import caller, errors, names
from minipaas_lib.bus import manager
from minipaas_lib.model import healthcheck, liveness
from minipaas_lib.model.app import App
from minipaas_lib.model.process import ContainerSpec, process_name
from minipaas_lib.model.release import Build, Release
from minipaas_lib.records import apps

PORT = 5000


def release_of(
    app: App,
    number: int,
    build: Build,
    commit: str,
    tasks: dict[str, str],
    reason: str,
    healthchecks: dict[str, list[dict]] | None = None,
) -> Release:
    """A new release of a build under the app's present wishes. Hooks may refuse it."""
    config = environment(app, build, commit)
    port = port_of(app, config, build)
    return Release(
        app=app.name,
        number=number,
        image=build.image,
        created=apps.now(),
        author=caller.key(),
        key=caller.key(),
        reason=reason,
        commit=commit,
        builder=build.builder,
        commands=dict(build.commands),
        tasks=tasks,
        healthchecks=healthchecks or {},
        config=config,
        formation=formation(app.formation, build.commands),
        port=port,
        image_port=build.port,
        processes=number,
        options={kind: container_options(app, kind) for kind in build.commands},
        routing=routing(app, commit),
        wishes=app.wishes,
    )


def release_like(
    app: App, number: int, live: Release, reason: str, force: bool = False, build_of: Release | None = None
) -> Release:
    """A release of the same build as `live`, or as `build_of`, under the app's present wishes.

    It keeps the processes of `live` where it can, unless `force` asks for new ones.
    """
    source = build_of or live
    release = release_of(app, number, source.build, source.commit, source.tasks, reason, source.healthchecks)
    if not force and release.runs_as(live):
        release = dataclasses.replace(release, processes=live.processes)
    return release


def differs(release: Release, live: Release) -> bool:
    """Whether a release would change anything that runs or is routed."""
    return not release.runs_as(live) or (release.formation, release.routing) != (live.formation, live.routing)


def environment(app: App, build: Build, commit: str) -> dict[str, str]:
    """What the processes find in their environment, PORT aside: hooks', then global, then the app's own, later wins."""
    merged: dict[str, str] = {}
    for found in manager.call("release_environment", app=app, build=build, commit=commit):
        merged |= found
    return merged | merged_config(app)


def merged_config(app: App) -> dict[str, str]:
    """The global config with the app's own over it."""
    return apps.platform().get("config", {}) | app.config


def port_of(app: App, config: dict[str, str], build: Build) -> int:
    """The port web processes must listen on: config PORT, else what the image says, else 5000."""
    return told_port(config, app.name) or build.port or PORT


def told_port(config: dict[str, str], app: str = "--global") -> int:
    """The port that the config says; 0 where it says none. Raises errors.UsageError."""
    text = config.get("PORT", "")
    if text and not (re.fullmatch("[0-9]{1,5}", text) and 0 < int(text) < 65536):
        whose = "all apps" if app == "--global" else app
        raise errors.UsageError(
            f"PORT of {whose} is {names.safe(text)}, which is not a port", f"config:set {app} PORT=5000"
        )
    return int(text or 0)


def formation(wanted: dict[str, int], commands: dict[str, str]) -> dict[str, int]:
    """How many processes of each type: what was said, else one web and none of the others."""
    return {kind: wanted.get(kind, 1 if kind == "web" else 0) for kind in commands}


def container_options(app: App, process_type: str) -> dict:
    """All plugins' options for the containers of a process type; lists are joined."""
    return merge(manager.call("container_options", app=app, process_type=process_type))


def routing(app: App, commit: str) -> dict:
    """All plugins' parts of the app's route."""
    return merge(manager.call("route_context", app=app, commit=commit))


def merge(parts: list[dict]) -> dict:
    """Join dicts: lists are appended, dicts merged, anything else: the later wins."""
    merged: dict = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, (list, tuple)):
                # lists throughout, as they come back from the store: a release is compared with one that was read
                merged[key] = [*merged.get(key, []), *(list(v) if isinstance(v, tuple) else v for v in value)]
            elif isinstance(value, dict):
                merged[key] = merged.get(key, {}) | value
            else:
                merged[key] = value
    return merged


def container_spec(release: Release, process_type: str, index: int) -> ContainerSpec:
    """The container of one process of a release."""
    environment = dict(release.config)
    web = process_type == "web"
    if web:
        environment["PORT"] = str(release.port)
    options = release.options.get(process_type, {})
    known = {f.name for f in dataclasses.fields(ContainerSpec)}
    chosen = {key: value for key, value in options.items() if key in known}
    if "mounts" in chosen:
        chosen["mounts"] = tuple(tuple(mount) for mount in chosen["mounts"])
    return ContainerSpec(
        name=process_name(release.app, release.processes, process_type, index),
        app=release.app,
        release=release.processes,
        process_type=process_type,
        index=index,
        image=release.image,
        command=release.commands.get(process_type, ""),
        environment=environment,
        port=release.port if web else 0,
        ports=container_ports(release) if web else (),
        healthcheck=health(release, process_type),
        **chosen,
    )


def container_ports(release: Release) -> tuple[int, ...]:
    """The ports of web processes that the release's listeners lead to, and PORT, sorted."""
    listened = {inside for _, _, inside in release.routing.get("listeners", [])}
    return tuple(sorted(listened | {release.port}))


def health(release: Release, process_type: str) -> liveness.Healthcheck | None:
    """What sees that processes of a type are alive; None where app.json asks for nothing of the kind."""
    checks = [healthcheck.Check.from_document(document) for document in release.healthchecks.get(process_type, [])]
    return liveness.healthcheck(healthcheck.liveness(checks), release.port)
