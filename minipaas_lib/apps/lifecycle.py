"""Create, stop, start and restore an app, rewrite its route, and recover from interrupted commands."""

from minipaas_lib import errors, output
from minipaas_lib.apps import trash
from minipaas_lib.bus import active_engines, manager
from minipaas_lib.deploy import change, drain, drain_worker, live_processes, plan, restore, traffic
from minipaas_lib.git import first_repository
from minipaas_lib.journal import cancellation, journal, locks
from minipaas_lib.model.app import App
from minipaas_lib.model.release import Release
from minipaas_lib.model.route import Route
from minipaas_lib.records import apps, releases, trashed
from minipaas_lib.store import layout, open_store


def create(name: str) -> App:
    """Create an app without a release, after recovery of a former one of that name."""
    with locks.name_lock(name):  # a push that is just creating the app would take this one for its own
        app = apps.write(name)
    tell_created(app)
    return app


def tell_created(app: App) -> None:
    """Notify the plugins of a new app, and have the router answer for its domains."""
    manager.notify("app_created", app=app)
    traffic.announce(app.name)


def stop(name: str) -> None:
    """Stop all processes of the app until it is started again, across reboots. Its domains answer 503."""
    with locks.app_lock(name):
        live = releases.live(name)
        if live:  # its processes are stopped only after they are no longer routed to
            app = apps.load(name)
            active_engines.check_route(traffic.route_of(app, live, []) or traffic.off(app, live))
        journal.begin(name, "stop")
        with journal.step(name, "note that it is stopped"):
            app = apps.edit(name, lambda document: document.update(stopped=True))
        if live:
            restore.halt(app, live)
        journal.end(name)


def start(name: str) -> None:
    """Start a stopped app by a new release like its last one, or missing processes of one that is not stopped."""
    with locks.app_lock(name), cancellation.cancellable():
        app = apps.load(name)
        live = releases.live(name)
        if live is None:
            raise errors.UsageError(f"{name} has never been deployed", f"git push paas@<host>:{name} main")
        if not app.stopped:
            start_again(app, live)
            return
        change.change_locked(name, "start", lambda document: document.pop("stopped", None), True, True)


def start_again(app: App, live: Release) -> None:
    """Start missing processes of an app that was not stopped. The caller holds its lock."""
    total = sum(live.formation.values())
    if not total:
        output.warn(f"{app.name} is already started, but its formation has no process to run")
        output.info(f"ps:scale {app.name} web=1")
    elif live_processes.missing(live):
        restore.bring_up(app, live)
        output.step(f"{app.name} {live.name} is running again")
    else:
        live_processes.check(app.name)
        output.info(f"{app.name} is already started: {total} of {total} processes are running")


def restore_app(text: str) -> App:
    """Restore an app from the trash, given as `blog`, or `blog.2` if there are several, and start it if it ran.

    If it cannot be started it is restored anyway, stopped. Raises errors.NotFound, errors.UsageError if another app has
    taken its name or domains.
    """
    ran = trash.ran(trashed.find(text))
    app = trash.restore(text)
    if ran:
        start(app.name)
    return app


def interrupted(name: str) -> str:
    """What a killed command left half done, in words; empty if nothing."""
    record = journal.read(name)
    if not record or locks.held_by(name):
        return ""
    at = journal.last_step(name)
    if failed := record.get("failed"):
        return "a command failed and is not completely undone yet" + (f" ({at}: {failed})" if at else f" ({failed})")
    return "a command was killed" + (f" ({at})" if at else "")


def recover_all(failed: list[str] | None = None) -> list[str]:
    """Recover all apps from interrupted commands, and purge what has expired in the trash; return what was done.

    A failure is reported and left to the next command on that app, whose name is added to `failed`.
    """
    done = []
    first_repository.tidy()
    for name in open_store().children(layout.APPS):
        try:
            if interrupted(name):
                with locks.name_lock(name):
                    done.append(f"{name}: cleaned up after an interrupted command")
            elif drain.waiting(name):
                drain_worker.spawn(name)  # nothing else would do it for a renamed app
        except Exception as error:
            if apps.has_failed(name, error) and failed is not None:
                failed.append(name)
    return done + [f"removed {identity} from the trash" for identity in trash.purge_expired()]


def reroute(name: str) -> None:
    """Rewrite the app's live route, such as after a change of the router's templates."""
    with locks.app_lock(name, frozen_too=True):
        app, live = apps.load(name), releases.live(name)
        if live is None:
            traffic.settle(name)
            return
        steps = plan.make_plan(live, active_engines.scheduler().processes(name), drain.waiting(name))
        traffic.switch(app, live, list(steps.keep))


def live_route(name: str, backends: list) -> Route | None:
    """The route of an app's live release to these backends; None if none is live, or its proxy is disabled."""
    app, live = apps.load(name), releases.live(name)
    return traffic.route_of(app, live, backends) if live else None
