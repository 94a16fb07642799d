"""Set, run and report how an app is checked."""

import click

from minipaas_lib import api
from plugins.checks import hooks, settings

checks_report = api.commands.report_command("checks", hooks.report, "Report how an app is checked.", hooks.everywhere)


@api.commands.command("checks:set")
@api.commands.wait_option
@api.commands.target_argument("For all apps that have no value of their own")
@click.argument("key", metavar="<key>")
@click.argument("value", metavar="[<value>]", default="")
def checks_set(app, key, value):
    """Set or clear how an app is checked.

    wait-to-retire: the seconds that an old web process may finish its requests in once traffic has moved on (30).
    What was set holds from the next deploy on; without a value the setting is cleared.

    \b
    e.g.: checks:set blog wait-to-retire 60
          checks:set --global wait-to-retire 120
    """
    if key not in settings.SETTINGS:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set",
            "one of: " + ", ".join(settings.SETTINGS),
        )
    wanted = settings.SETTINGS[key](value) if value else None

    def edit(document):
        settings.put(document, key, wanted)

    api.edit_app(app, edit) if app else api.kernel.edit_platform(edit)
    api.output.step(f"{key} of {app or 'all apps'} is {'cleared' if wanted is None else wanted}")


def kinds_argument(function):
    return click.argument("words", nargs=-1, metavar="[<type>[,<type>...]]")(function)


def choose(app: str, words: tuple[str, ...], mode: str, said: str) -> None:
    """Set the mode of the types that were named, for the deploys to come."""
    kinds = settings.kinds(words)
    check_types(app, kinds)
    api.edit_app(app, lambda document: settings.choose(document, mode, kinds))
    which = " and ".join(kinds) if kinds else "all processes"
    api.output.step(f"From the next deploy on, {which} of {app}: {said}")


def check_types(app: str, kinds: list[str]) -> None:
    """Raises errors.UsageError for a process type that neither the live nor the newest release (maybe failed) has.

    Before the first release nothing tells the types, so there is only a warning.
    """
    live, newest = api.live_release(api.app(app).name), next(iter(api.kernel.newest_releases(app)), None)
    types = {kind for release in (live, newest) if release for kind in release.commands}
    unknown = [kind for kind in kinds if kind not in types]
    if unknown and newest:
        raise api.errors.UsageError(
            f"{app} has no process type {unknown[0]}: it has {', '.join(sorted(types))}", f"checks:report {app}"
        )
    if unknown:
        api.output.warn(f"{app} is not deployed yet: check that its Procfile has the type {' and '.join(unknown)}")


@api.commands.command("checks:enable")
@api.commands.app_argument
@kinds_argument
def checks_enable(app, words):
    """Start new processes beside the old ones and wait until they are ready.

    This is what happens unless checks:disable or checks:skip say otherwise.

    \b
    e.g.: checks:enable blog
          checks:enable blog web,worker
    """
    choose(app, words, "enabled", "new ones start beside the old ones, which go when the new ones are ready")


@api.commands.command("checks:disable")
@api.commands.app_argument
@kinds_argument
def checks_disable(app, words):
    """Stop the old processes before new ones start: THE APP IS DOWN in between.

    For processes of which two must never run at the same time. Meanwhile the domains answer 503 if web is among
    them. When the new ones do not come up, the old ones are started again.

    \b
    e.g.: checks:disable blog worker
    """
    choose(
        app, words, "disabled", "the old ones stop before new ones start, so each deploy takes them down for a while"
    )


@api.commands.command("checks:skip")
@api.commands.app_argument
@kinds_argument
def checks_skip(app, words):
    """Start new processes beside the old ones, and do not wait until they are ready.

    Requests may fail until they are.

    \b
    e.g.: checks:skip blog worker
    """
    choose(app, words, "skipped", "new ones start beside the old ones and are not waited for")


@api.commands.command("checks:run")
@api.commands.app_argument
@click.argument("words", nargs=-1, metavar="[<type>[.<n>]...]")
def checks_run(app, words):
    """Run an app's checks on the processes that run now; exit 1 when one is not passed.

    These are the startup and readiness checks of its app.json. Where it has none: that the port of web accepts and
    that the others are up.

    \b
    e.g.: checks:run blog
          checks:run blog worker web.2
    """
    live = api.live_release(api.app(app).name)
    if live is None:
        raise api.errors.UsageError(f"{app} has never been deployed", "git push paas main")
    scheduler = api.scheduler()
    counting = [p for p in scheduler.processes(app) if p.release == (live.processes or live.number) and p.adopted]
    chosen = {process.name: process for word in words or ("",) for process in named(counting, word, app)}
    failed = 0
    for process in chosen.values():
        label = f"{process.process_type}.{process.index}"
        api.output.step(f"Checking {label}")
        try:
            api.kernel.check_process(scheduler, live, process)
        except api.errors.DeployFailed as error:
            failed += 1
            api.output.warn(error.message)
        else:
            api.output.info(f"{label} is fine")
    return 1 if failed else 0


def named(processes: list, word: str, app: str) -> list:
    """The processes that `web` or `web.1` names; all for an empty word. Raises errors.UsageError if there is none."""
    found = [p for p in processes if word in ("", p.process_type, f"{p.process_type}.{p.index}")]
    if not found:
        there = " ".join(f"{p.process_type}.{p.index}" for p in processes) or "none"
        what = f"no process {api.names.safe(word)}" if word else "no processes"
        raise api.errors.UsageError(f"{app} runs {what}; running: {there}", f"ps:report {app}")
    return found
