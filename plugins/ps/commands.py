"""Commands for the processes of apps."""

import click

from minipaas_lib import api
from plugins.ps import hooks, settings, several

ps_report = api.commands.report_command("ps", hooks.report, "Report the processes of an app.")


@api.commands.command("ps:scale")
@click.option("--skip-deploy", is_flag=True, help="Only remember the counts, for the next deploy")
@api.commands.plan_option
@api.commands.format_option
@api.commands.wait_option
@api.commands.app_argument
@click.argument("pairs", nargs=-1, metavar="[<type>=<count> ...]", shell_complete=api.commands.complete_processes("="))
def ps_scale(app, pairs, skip_deploy, plan, format):
    """Show or set how many processes of each type run.

    Processes that are not touched keep running. A type that is never named runs once if it is web, else not at all.

    \b
    e.g.: ps:scale blog
          ps:scale blog web=2 worker=1
          ps:scale blog web=2 --plan
    """
    wanted = settings.scale(pairs)
    present, live = api.app(app), api.live_release(app)
    types = list(live.commands) if live else []
    if not pairs:
        show(settings.formation(present.formation, types), format)
        return
    left = [
        kind for kind, count in wanted.items() if live and kind not in types and not count and kind in present.formation
    ]
    unknown = [kind for kind in wanted if live and kind not in types and kind not in left]
    deployed = f"{app} {live.name}" if live else app
    if unknown:
        raise api.errors.UsageError(
            f"{deployed} has no process type {unknown[0]}: it has {', '.join(sorted(types))}",
            f"add {unknown[0]} to the Procfile and push, or scale another type",
        )
    said = " ".join(f"{kind}={count}" for kind, count in wanted.items())

    def edit(document):
        table = document.setdefault("formation", {})
        table.update(wanted)
        for kind in left:
            del table[kind]

    former = settings.formation(present.formation, types)
    steps = [
        f"{kind}={former.get(kind, 0)} -> {count}" for kind, count in wanted.items() if count != former.get(kind, 0)
    ]
    reason = "scale: " + (", ".join(steps) or said)
    if plan:
        api.commands.print_plan(api.kernel.plan(app, reason, edit, restart=not skip_deploy), format)
        return
    release = api.change(app, reason, edit, restart=not skip_deploy)
    for kind in left:
        api.output.info(f"{kind} is not in the Procfile of {deployed}; its count is removed")
    if release is None:
        if live and not skip_deploy and not present.stopped and api.kernel.live_processes.missing(live):
            api.kernel.restore_processes(app)
        later = "" if live and not skip_deploy and not present.stopped else ", from the next deploy on"
        api.output.step(f"{app} has {said}{later}")


def show(formation: dict[str, int], format: str) -> None:
    """The formation, on stdout."""
    if format == "json":
        api.commands.print_json(formation)
    else:
        for kind, count in formation.items():
            api.output.data(f"{kind}={count}")


@api.commands.command("ps:restart")
@several.apps_or_all
@api.commands.wait_option
def ps_restart(apps):
    """Replace all processes of an app by new ones.

    The new ones take the traffic before the old ones stop. --all restarts every app that runs, one after the other.

    \b
    e.g.: ps:restart blog
          ps:restart --all
    """
    return several.each(apps, restart)


def restart(name: str) -> None:
    several.must_run(name)
    api.change(name, "restart", force=True)


@api.commands.command("ps:stop")
@several.apps_or_all
@api.commands.wait_option
def ps_stop(apps):
    """Stop an app until it is started again, also over reboots.

    Until then its domains answer with a 503 page.

    \b
    e.g.: ps:stop blog
          ps:stop --all
    """
    return several.each(apps, stop)


def stop(name: str) -> None:
    several.must_be_deployed(name)
    api.kernel.stop(name)
    api.output.step(f"{name} is stopped")


@api.commands.command("ps:start")
@several.apps_or_all
@api.commands.wait_option
def ps_start(apps):
    """Start a stopped app; or what does not run of one that was not stopped.

    \b
    e.g.: ps:start blog
          ps:start --all
    """

    def start(name):
        several.must_be_deployed(name)
        api.kernel.start(name)

    return several.each(apps, start)


@api.commands.command("ps:rebuild")
@several.apps_or_all
@api.commands.wait_option
def ps_rebuild(apps):
    """Build the live commit of an app again and deploy it; where nothing is live, the newest of its repository.

    \b
    e.g.: ps:rebuild blog
          ps:rebuild --all
    """

    def rebuild(name):
        if not api.repository.head_of(name):  # the clone of an app has a commit before it is deployed
            several.must_be_deployed(name)
        api.kernel.rebuild(name)

    return several.each(apps, rebuild)


@api.commands.command("ps:restore")
@api.commands.optional_app_argument
@api.commands.wait_option
def ps_restore(app):
    """Start what should run and does not, such as after a reboot; of all apps when none is named.

    What a killed command left half done is put right first. Stopped apps stay stopped. It fails where a process keeps
    ending: that is not as it should be.

    \b
    e.g.: ps:restore blog
          ps:restore
    """

    def restore(name):
        api.kernel.restore_processes(name)
        api.output.step(f"{name}: all processes are running")

    if app:
        api.app(app)
    failed: list[str] = []
    if app is None:
        api.kernel.recover_all(failed)
    status = several.each(several.Chosen([app] if app else api.app_names(), every=app is None), restore)
    return 1 if failed else status


@api.commands.command("ps:inspect")
@api.commands.app_argument
def ps_inspect(app):
    """Show what the scheduler knows of an app's processes, without config values, as JSON.

    \b
    e.g.: ps:inspect blog
    """
    several.must_be_deployed(app)
    scheduler = api.scheduler()
    api.commands.print_json([scheduler.inspect(process) for process in scheduler.processes(app)])


@api.commands.command("ps:set")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("key", metavar="<key>")
@click.argument("value", required=False, default="", metavar="[<value>]")
def ps_set(app, key, value):
    """Set or clear how processes are kept running and stopped.

    \b
    restart-policy: when a process that ended comes back: always (the default), on-failure, on-failure:5 (at
                    most 5 times) or no. Only with always does it come back after every reboot and every
                    restart of docker: with on-failure one that docker stopped, and that ended with exit code
                    0, stays away until ps:restore. unless-stopped means always.
    stop-timeout:   the seconds between SIGTERM and SIGKILL (30).

    Without a value the setting is cleared. Processes that run are replaced by ones with the new setting.

    \b
    e.g.: ps:set blog restart-policy on-failure:5
          ps:set blog stop-timeout 60
    """
    if key not in settings.SETTINGS:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set", "one of: " + ", ".join(settings.SETTINGS)
        )
    wanted = settings.SETTINGS[key](value) if value else None

    def edit(document):
        table = document.setdefault(settings.TABLE, {})
        if wanted is None:
            table.pop(key, None)
        else:
            table[key] = wanted
        if not table:
            del document[settings.TABLE]

    api.change(app, f"set: {key}" + (f"={wanted}" if wanted is not None else " cleared"), edit)
    api.output.step(f"{key} of {app} is {'cleared' if wanted is None else wanted}")
