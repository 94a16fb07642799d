"""Build an image from a source tree: choose its folder, the builder and the settings."""

import os

from minipaas_lib import errors, names, output
from minipaas_lib import untrusted_files as trees
from minipaas_lib.bus import manager
from minipaas_lib.deploy import postmortem
from minipaas_lib.journal import journal
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build
from minipaas_lib.records import apps

BEFORE, AFTER = "before anything was built", "after the build"  # phases of failures that are not "while building"


def build_image(app: App, context: str, commit: str, number: int) -> Build:
    """Build an image of the context with the first builder that can."""
    detected = manager.first("detect_builder", app=app, context=context)
    if detected is None:
        raise unbuildable(app)
    builder, _, why = detected.partition(":")
    output.info(f"builder {builder}: {why.strip()}")
    journal.add(app.name, builder=builder)
    manager.call("before_build", app=app, context=context, commit=commit)
    with postmortem.phase("while building"):
        build = manager.first("build_image", app=app, builder=builder, context=context, commit=commit, release=number)
    if build is None:
        raise errors.BuildFailed(f"no plugin provides the builder {builder}", "plugin:list")
    with postmortem.phase(AFTER):
        manager.call("after_build", app=app, build=build, commit=commit)
    for note in build.notes:
        output.info(note)
    return build


def unbuildable(app: App) -> errors.BuildFailed:
    """The error for a source tree that no builder can build: it lists the files that they looked for."""
    files = [file for answer in manager.call("builder_files", app=app) for file in answer]
    looked_for = ", ".join(dict.fromkeys(files))
    where = manager.first("source_folder", app=app)
    place = f"the folder {names.safe(where)[1:-1]}" if where else "the top folder"
    if not looked_for:
        return errors.BuildFailed(f"nothing here can build {app.name}: no builder is installed", "plugin:list")
    message = f"{app.name} cannot be built: {place} has none of {looked_for}"
    return errors.BuildFailed(message, "add one of them and commit it")


def use_source_folder(app: App, context: str) -> None:
    """Replace the context by the folder in it that the app is built from, if a plugin names one.

    The folder is moved into the context's place, so that nothing next to a context comes from the repository. Raises
    errors.BuildFailed if the commit has no such folder; symbolic links are not followed.
    """
    subfolder = manager.first("source_folder", app=app)
    if not subfolder:
        return
    shown = names.safe(subfolder)[1:-1]
    if not trees.is_folder(context, subfolder):
        message = f"build-dir {shown} does not exist in this commit"
        raise errors.BuildFailed(
            message, f"commit it (a symbolic link will not do), or: builder:set {app.name} build-dir"
        )
    full_tree = context.rstrip("/") + ".whole"
    os.rename(context, full_tree)
    os.rename(os.path.join(full_tree, subfolder), context)
    output.info(f"from the folder {shown}")


def settings(app: App) -> dict:
    """The merged build_settings of all plugins: what builds of the app need for downloads, and their memory limit.

    {"environment": dict[str, str], "ca": str, certificates in PEM or "", "memory": int, bytes or 0}. The later
    plugin's variables win, as everywhere; certificates are joined, and the smallest memory limit counts.
    """
    environment: dict[str, str] = {}
    certificates, limits = [], []
    for answer in manager.call("build_settings", app=app):
        environment |= answer.get("environment", {})
        certificates += [answer["ca"]] if answer.get("ca") else []
        limits += [answer["memory"]] if answer.get("memory") else []
    return {"environment": environment, "ca": "".join(certificates), "memory": min(limits, default=0)}


def check_image_owner(app: App, owner: str) -> None:
    """Refuse a build of the app that uses an image of the app `owner`, unless a plugin allows it.

    Builders call this for every base image. A former name of the app counts as the app itself. Raises
    errors.BuildFailed.
    """
    if app.name in (owner, apps.renamed_to(owner)) or manager.first("may_use_image", app=app, owner=owner):
        return
    message = f"{app.name} cannot be based on an image of the app {names.safe(owner)[1:-1]}: it holds that app's files"
    raise errors.BuildFailed(message, "name an image of your own, or of a registry, in FROM")


def builders() -> list[str]:
    """The names of all builders, sorted."""
    return sorted({name for answer in manager.call("builder_names") for name in answer})
