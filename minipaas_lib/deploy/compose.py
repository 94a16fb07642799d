"""Compose a release from an app's document and a build, or from another release; and containers from a release."""

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
    """A new release of a build with the app's present settings. Hooks may refuse it."""
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
        options={process_type: container_options(app, process_type) for process_type in build.commands},
        routing=routing(app, commit),
        wishes=app.wishes,
    )


def release_like(
    app: App, number: int, live: Release, reason: str, force: bool = False, build_of: Release | None = None
) -> Release:
    """A release of the same build as `live`, or as `build_of`, with the app's present settings.

    It keeps the processes of `live` if it can, unless `force` is given.
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
    """The environment of processes, except PORT: that of hooks, global config, the app's own config; the later wins."""
    merged: dict[str, str] = {}
    for variables in manager.call("release_environment", app=app, build=build, commit=commit):
        merged |= variables
    return merged | merged_config(app)


def merged_config(app: App) -> dict[str, str]:
    """The global config overridden by the app's own."""
    return apps.platform().get("config", {}) | app.config


def port_of(app: App, config: dict[str, str], build: Build) -> int:
    """The port that web processes must listen on: PORT in the config, else the image's, else 5000."""
    return told_port(config, app.name) or build.port or PORT


def told_port(config: dict[str, str], app: str = "--global") -> int:
    """The port set in the config; 0 if there is none. Raises errors.UsageError."""
    text = config.get("PORT", "")
    if text and not (re.fullmatch("[0-9]{1,5}", text) and 0 < int(text) < 65536):
        whose = "all apps" if app == "--global" else app
        raise errors.UsageError(
            f"PORT of {whose} is {names.safe(text)}, which is not a port", f"config:set {app} PORT=5000"
        )
    return int(text or 0)


def formation(counts: dict[str, int], commands: dict[str, str]) -> dict[str, int]:
    """The number of processes of each type: as set, else one web process and none of the others."""
    return {process_type: counts.get(process_type, 1 if process_type == "web" else 0) for process_type in commands}


def container_options(app: App, process_type: str) -> dict:
    """The options of all plugins for the containers of a process type; lists are joined."""
    return merge(manager.call("container_options", app=app, process_type=process_type))


def routing(app: App, commit: str) -> dict:
    """The route of the app, merged from all plugins."""
    return merge(manager.call("route_context", app=app, commit=commit))


def merge(parts: list[dict]) -> dict:
    """Merge dicts: lists are joined, dicts merged, of other values the later wins."""
    merged: dict = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, (list, tuple)):
                # lists, not tuples, as read from the store: releases are compared with stored ones
                merged[key] = [*merged.get(key, []), *(list(v) if isinstance(v, tuple) else v for v in value)]
            elif isinstance(value, dict):
                merged[key] = merged.get(key, {}) | value
            else:
                merged[key] = value
    return merged


def container_spec(release: Release, process_type: str, index: int) -> ContainerSpec:
    """The container for a process of a release."""
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
    """The container ports of the release's listeners, and PORT, sorted."""
    listened = {inside for _, _, inside in release.routing.get("listeners", [])}
    return tuple(sorted(listened | {release.port}))


def health(release: Release, process_type: str) -> liveness.Healthcheck | None:
    """The liveness command for processes of a type; None if app.json has no such checks."""
    checks = [healthcheck.Check.from_document(document) for document in release.healthchecks.get(process_type, [])]
    return liveness.healthcheck(healthcheck.liveness(checks), release.port)
