"""Stop, start and destroy an app, and route it anew."""

import contextlib
import shutil

from minipaas_lib import errors, output, paths
from minipaas_lib.bus import manager
from minipaas_lib.pipeline import apps, change, engines, interrupt, locks, plan, recover, releases, retire, rollout
from minipaas_lib.store import open_store


def stop(name: str) -> None:
    """Stop all processes of the app until it is started again, also over reboots. Its domains answer 503."""
    with locks.app_lock(name):
        app = apps.edit(name, lambda document: document.update(stopped=True))
        live = releases.live(name)
        if live is not None:
            recover.halt(app, live)


def start(name: str) -> None:
    """Start a stopped app as a new release of what it last was."""
    with locks.app_lock(name), interrupt.cancellable():
        app = apps.load(name)
        if releases.live(name) is None:
            raise errors.UsageError(f"{name} has never been deployed", f"git push paas@<host>:{name} main")
        if not app.stopped:
            output.info(f"{name} is started already")
            return
        change.change_locked(name, "start", lambda document: document.pop("stopped", None), True, True)


def destroy(name: str) -> None:
    """Remove the app: its route first, then its processes, what plugins keep, its repository and its documents."""
    from minipaas_lib.pipeline import receive

    with locks.app_lock(name):
        app = apps.load(name)
        engines.router().remove(name)
        scheduler = engines.scheduler()
        for process in scheduler.processes(name):
            scheduler.stop(process, timeout=10)
        manager.notify("app_destroyed", app=app)
        receive.remove_builds(name)
        for folder in (paths.repository(name), paths.output(name)):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)
        open_store().delete_tree(f"apps/{name}")


def reroute(name: str) -> None:
    """Write the app's live route anew, such as after a change of the router's own templates."""
    with locks.app_lock(name, frozen_too=True):
        app, live = apps.load(name), releases.live(name)
        if live is None:
            return
        steps = plan.make_plan(live, engines.scheduler().processes(name), retire.waiting(name))
        rollout.switch(app, live, list(steps.keep))
