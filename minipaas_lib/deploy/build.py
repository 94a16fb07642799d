"""Make an image of a source tree: from which folder of it, by which builder, with which settings."""

import os

from minipaas_lib import errors, names, output
from minipaas_lib import untrusted_files as trees
from minipaas_lib.bus import manager
from minipaas_lib.deploy import postmortem
from minipaas_lib.journal import journal
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Build
from minipaas_lib.records import apps

BEFORE, AFTER = "before anything was built", "after the build"  # what fails then, fails not "while building"


def build_image(app: App, context: str, commit: str, number: int) -> Build:
    """Let the first builder that can make an image of the context."""
    found = manager.first("detect_builder", app=app, context=context)
    if found is None:
        raise unbuildable(app)
    builder, _, why = found.partition(":")
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
    """The error for a source tree that no builder knows: it says which files they looked for."""
    files = [file for found in manager.call("builder_files", app=app) for file in found]
    wanted = ", ".join(dict.fromkeys(files))
    where = manager.first("source_folder", app=app)
    place = f"the folder {names.safe(where)[1:-1]}" if where else "the top folder"
    if not wanted:
        return errors.BuildFailed(f"nothing here can build {app.name}: no builder is installed", "plugin:list")
    said = f"{app.name} cannot be built: {place} has none of {wanted}"
    return errors.BuildFailed(said, "add one of them and commit it")


def narrow(app: App, context: str) -> None:
    """Make the context the folder of it that the app is built from, where a plugin names one.

    The folder takes the context's place, so that what lies beside a context is never from the repository. Raises
    errors.BuildFailed where the commit has no such folder; no symbolic link is followed to it.
    """
    wanted = manager.first("source_folder", app=app)
    if not wanted:
        return
    shown = names.safe(wanted)[1:-1]
    if not trees.is_folder(context, wanted):
        said = f"build-dir {shown} does not exist in this commit"
        raise errors.BuildFailed(said, f"commit it (a symbolic link will not do), or: builder:set {app.name} build-dir")
    whole = context.rstrip("/") + ".whole"
    os.rename(context, whole)
    os.rename(os.path.join(whole, wanted), context)
    output.info(f"from the folder {shown}")


def settings(app: App) -> dict:
    """What builds of the app need to download, and may use.

    {"environment": dict[str, str], "ca": str, certificates in PEM or "", "memory": int, bytes or 0}. Of the variables
    of several plugins the later wins, as everywhere; certificates are joined, and the least memory counts.
    """
    environment: dict[str, str] = {}
    certificates, limits = [], []
    for found in manager.call("build_settings", app=app):
        environment |= found.get("environment", {})
        certificates += [found["ca"]] if found.get("ca") else []
        limits += [found["memory"]] if found.get("memory") else []
    return {"environment": environment, "ca": "".join(certificates), "memory": min(limits, default=0)}


def check_image_owner(app: App, owner: str) -> None:
    """Refuse that a build of the app uses an image of the app `owner`, unless a plugin lets it.

    Builders ask this of every image a build is built on. A former name of the app is the app's own. Raises
    errors.BuildFailed.
    """
    if app.name in (owner, apps.renamed_to(owner)) or manager.first("may_use_image", app=app, owner=owner):
        return
    said = f"{app.name} cannot be based on an image of the app {names.safe(owner)[1:-1]}: it holds that app's files"
    raise errors.BuildFailed(said, "name an image of your own, or of a registry, in FROM")


def builders() -> list[str]:
    """The names of all builders there are, sorted."""
    return sorted({name for found in manager.call("builder_names") for name in found})
