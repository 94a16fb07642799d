"""The builds of an app: list, show, follow, cancel, tidy up."""

import re

import click

from minipaas_lib import api


class BuildNumber(click.ParamType):
    """`v3` or `3`."""

    name = "build"

    def convert(self, value, param, ctx):
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"v?[1-9][0-9]{0,8}", value):
            raise api.errors.UsageError(f"{api.names.safe(value)} is not a build such as v3", "builds:list <app>")
        return int(value.removeprefix("v"))


def _number_argument(required: bool = True):
    return click.argument("number", type=BuildNumber(), metavar="<n>" if required else "[<n>]", required=required)


@api.commands.command("builds:list")
@click.option("-n", "--num", "count", type=click.IntRange(1), default=20, metavar="N", help="At most N builds (20)")
@api.commands.format_option
@api.commands.app_argument
def builds_list(app, count, format):
    """List the builds of an app, newest first, including one in progress.

    A build has the number of the release it is for. The status is building, deploying (the image is there), succeeded,
    failed or cancelled. In JSON sizes are in bytes; null is an image that is not here any more.

    \b
    e.g.: builds:list blog
          builds:list blog -n 5 --format json
    """
    from plugins.builds import ledger

    api.app(app)
    found = ledger.rows(app, count)
    if format == "json":
        api.commands.print_json(found)
        return
    if not found:
        api.output.info(f"{app} has no build yet")
    api.commands.print_table([_shown(row) for row in found])


@api.commands.command("builds:info")
@api.commands.format_option
@api.commands.app_argument
@_number_argument()
def builds_info(app, number, format):
    """Print all about one build of an app.

    \b
    e.g.: builds:info blog v3
          builds:info blog 3 --format json
    """
    from plugins.builds import ledger

    api.app(app)
    found = ledger.info(app, number)
    if format == "json":
        api.commands.print_json(found)
        return
    rows = _shown(found) | {"commit": found["commit"], "image": found["image"]}
    api.commands.print_report(f"{app} build {number}", {key: value for key, value in rows.items() if value != ""})


@api.commands.command("builds:output")
@click.option("-f", "--follow", is_flag=True, help="Go on while it is being built and deployed")
@api.commands.app_argument
@_number_argument(required=False)
def builds_output(app, number, follow):
    """Print the output of a build and its deploy; without <n> of the one in progress, else of the newest.

    \b
    e.g.: builds:output blog v3
          builds:output blog -f
    """
    from plugins.builds import ledger, tail

    api.app(app)
    number = number or ledger.newest(app)
    try:
        tail.show(app, number, follow)
    except FileNotFoundError:
        if not follow:
            api.release(app, number)  # else there is none of that number
        raise api.errors.NotFound(f"the output of v{number} of {app} is not kept", f"builds:list {app}") from None


@api.commands.command("builds:cancel")
@api.commands.app_argument
def builds_cancel(app):
    """Stop the build or deploy of an app that is in progress, as if its client had hung up; what was live stays live.

    Once requests move to the new release it is too late, and it says so.

    \b
    e.g.: builds:cancel blog
    """
    api.app(app)
    now = api.kernel.underway(app)
    if now is None:
        raise api.errors.UsageError(f"{app} is not being built or deployed", f"builds:list {app}")
    api.kernel.cancel(now)
    live = api.live_release(app)
    if live and live.number == now.number:
        raise api.errors.UsageError(
            f"it was too late to cancel v{now.number} of {app}: it is live", f"to go back: releases:rollback {app}"
        )
    serves = f"{live.name} serves as before" if live else "nothing was live before"
    api.output.step(f"v{now.number} of {app} is cancelled; {serves}")


@api.commands.command("builds:prune")
@click.option("--all", "everything", is_flag=True, help="Of all apps, and the build cache that they share")
@click.option("--keep-cache", "keep", metavar="SIZE", default="", help="With --all: how much build cache stays (1g)")
@api.commands.wait_option
@api.commands.optional_app_argument
def builds_prune(app, everything, keep):
    """Remove images that builds have left and no release has, and with --all the build cache beyond a budget.

    No image of a release goes, however old: see releases:prune for those. Of an app that is being built nothing goes.

    \b
    e.g.: builds:prune blog
          builds:prune --all
          builds:prune --all --keep-cache 500m
    """
    from plugins.builds import pruning

    if bool(app) == everything or (keep and not everything):
        raise api.errors.UsageError("either an app or --all must be given", "builds:prune --help")
    budget = pruning.parse_size(keep) if keep else pruning.BUDGET
    total, failed = 0, 0
    for name in [app] if app else api.app_names():
        try:
            with api.lock(name, frozen_too=True):
                removed = pruning.images_of(api.app(name))
        except Exception as error:
            if app:
                raise
            if isinstance(error, api.errors.Locked):
                api.output.warn(f"{name} is skipped: {error.message}")
            else:
                failed += api.kernel.app_has_failed(name, error)
            continue
        for image in removed:
            api.output.info(f"removed {image}")
        total += len(removed)
    cache = f", and {pruning.cache(budget)} of build cache" if everything else ""
    api.output.step(f"{total} image{'' if total == 1 else 's'} removed{cache}")
    return 1 if failed else 0


def _shown(row: dict) -> dict:
    """A row for people."""
    size = "" if row["size"] is None else f"{row['size'] / 1e6:.1f} MB"
    return row | {
        "commit": row["commit"][:8],
        "seconds": f"{row['seconds']:g}",
        "size": size,
        "number": f"v{row['number']}",
    }
