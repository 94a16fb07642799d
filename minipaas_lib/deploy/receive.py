"""From a commit to a live release: used by a push, ps:rebuild and everything else that brings a commit."""

import dataclasses
import os
import time
from collections.abc import Callable

from minipaas_lib import caller, errors, folders, names, output, paths
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import build, build_artifacts, change, compose, live_processes, postmortem, restore, rollout
from minipaas_lib.deploy.release_tasks import of_build
from minipaas_lib.deploy.urls import print_urls
from minipaas_lib.git import repository
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.model import app_json, procfile
from minipaas_lib.model.app import App
from minipaas_lib.model.release import FAILED, Build, Release
from minipaas_lib.records import apps, releases

FILE_LIMIT = 1 << 20  # bytes of a Procfile or app.json that are read


def rebuild(name: str) -> Release:
    """Build the live commit again and deploy it or, if nothing is live, the one that a clone checks out.

    Raises errors.UsageError if there is none.
    """
    with locks.app_lock(name), cancellation.cancellable():
        live = releases.live(name)
        commit = live.commit if live else repository.head_of(name)
        if not commit:
            raise errors.UsageError(f"{name} has no commit to build", f"git push paas@<host>:{name} main")
        return deploy_commit(name, commit, "rebuild", force=True)


def deploy_commit(
    name: str, commit: str, reason: str, force: bool = False, edit: Callable | None = None, branch: str = ""
) -> Release:
    """Build a commit and make it live, with `edit` applied to the app's document; a clone then checks out `branch`.

    The caller holds the app's lock.
    """
    present, live = apps.load(name), releases.live(name)
    if live and live.commit == commit and not force and not present.stopped:
        if live_processes.missing(live):
            output.step(f"{live.name} of {name} is this commit already: starting the processes that are not running")
            restore.bring_up(present, live)
        else:
            output.step(
                f"{live.name} of {name} is this commit already, nothing to do (ps:rebuild {name} builds it again)"
            )
        repository.follow(name, commit, branch)
        return live
    if live is None or live.routing.get("enabled", True):
        active_engines.check_route()  # before a long build
    number = releases.next_number(name)
    with output.keep(f"{paths.output(name)}/v{number}.log"):
        previous = live.number if live else 0
        journal.begin(name, "rollout", release=number, previous=previous, commit=commit, reason=reason, branch=branch)
        begun = time.monotonic()
        try:
            with postmortem.phase(build.BEFORE):
                with journal.step(name, "keep the commit"):
                    repository.keep_commit(name, commit, number)
                app, release = build_release(change.edited(present, edit), live, number, commit, reason)
        except BaseException as error:
            record_failure(present, number, commit, reason, error, time.monotonic() - begun)
            postmortem.report(f"v{number}", error, rollout.still(present, live))
            journal.end(name)
            raise
        release = rollout.roll_out(app, release, live, save_app=lambda: change.write(app, present))
        announce(release)
    return release


def build_release(app: App, live: Release | None, number: int, commit: str, reason: str) -> tuple[App, Release]:
    """Unpack, build and write a pending release; return it with the app as it will be once it is live."""
    folder = build_artifacts.build_folder(app.name, number)
    context = os.path.join(folder, "source")
    try:
        output.step(f"Building {app.name} v{number} from {commit[:8]}")
        with journal.step(app.name, "unpack the commit"):
            repository.checkout(app.name, commit, context)
            build.use_source_folder(app, context)
        commands = parse(context, "Procfile", procfile.parse, {})
        parsed = parse(context, "app.json", app_json.parse, None)
        begun = time.monotonic()
        active_engines.preload()  # not earlier: during short git commands it would only compete for the interpreter
        with journal.step(app.name, "build the image"):
            made = build.build_image(app, context, commit, number)
        seconds = max(round(time.monotonic() - begun, 1), 0.1)  # 0 means that nothing was built
    finally:
        folders.remove(folder)
    with postmortem.phase(build.AFTER):
        tasks = of_build(commands, parsed)
        commands.pop("release", None)
        made = Build(made.image, made.builder, commands or made.commands, made.port, made.notes)
        if not made.commands:
            raise errors.BuildFailed(
                "the image has no command and there is no Procfile",
                "add CMD to the Dockerfile, or a Procfile with: web: <command>",
            )
        if live is None and parsed:
            app = adopt_app_json(app, parsed)
        app = App(app.name, {key: value for key, value in app.document.items() if key != "stopped"})  # a push starts it
        checks = {
            process_type: [check.to_document() for check in checks_of_type]
            for process_type, checks_of_type in (parsed.healthchecks if parsed else {}).items()
        }
        release = compose.release_of(app, number, made, commit, tasks, reason, checks)
        release = dataclasses.replace(release, author=repository.author(app.name, commit), build_seconds=seconds)
        manager.call("before_release", app=app, release=release)
        with journal.step(app.name, "write the release"):
            releases.write(release)
        return app, release


def parse(context: str, name: str, parser, absent):
    """A parsed file of the source tree; `absent` if there is none."""
    text = repository.read_file(context, name, FILE_LIMIT)
    return absent if text is None else parser(text)


def adopt_app_json(app: App, parsed: app_json.AppJson) -> App:
    """On the first deploy, app.json provides config and formation that are not set yet."""
    config = names.whole_config(
        app_json.first_deploy_config(app.name, parsed, compose.merged_config(app)) | app.config, app.config
    )
    formation = parsed.formation | app.formation
    changed = {name: table for name, table in (("config", config), ("formation", formation)) if table}
    return App(app.name, app.document | changed)


def record_failure(app: App, number: int, commit: str, reason: str, error: BaseException, seconds: float) -> None:
    """Write a failed release for a failed build, whose number is used up."""
    failure = errors.words(error)
    failed = Release(
        app.name,
        number,
        "",
        apps.now(),
        apps.now(),
        key=caller.key(),
        reason=reason,
        status=FAILED,
        failure=failure,
        author=repository.author(app.name, commit),
        commit=commit,
        wishes=app.wishes,
        builder=journal.read(app.name).get("builder", ""),
        build_seconds=max(round(seconds, 1), 0.1),
    )
    try:
        try:
            releases.write(failed)
        except errors.Conflict:  # it failed after the release was written
            releases.finish(releases.load(app.name, number), FAILED, failure)
    except errors.MinipaasError:
        pass  # the original error says more


def announce(release: Release) -> None:
    """Print the last lines of a push."""
    output.step(f"{release.app} {release.name} is live")
    print_urls(release)
