"""The releases of an app: list, show, compare, roll back, prune."""

import itertools
import re

import click

from minipaas_lib import api
from plugins.releases import settings


class ReleaseNumber(click.ParamType):
    """`v3` or `3`."""

    name = "release"

    def convert(self, value, param, ctx):
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"v?[1-9][0-9]{0,8}", value):
            raise api.errors.UsageError(f"{api.names.safe(value)} is not a release such as v3", "releases <app>")
        return int(value.removeprefix("v"))


def _release_argument(name: str, required: bool = True):
    shown = f"<{name}>" if required else f"[<{name}>]"
    return click.argument(name.lower(), type=ReleaseNumber(), metavar=shown, required=required)


def _live_number(app: str) -> int:
    live = api.live_release(app)
    return live.number if live else 0


@api.commands.command("releases")
@api.commands.app_argument
@click.option("-n", "--num", "count", type=click.IntRange(1), default=20, metavar="N", help="At most N releases (20)")
@api.commands.format_option
def releases(app, count, format):
    """List the releases of an app, newest first.

    The status is live, superseded (it was live once), failed, or pending.

    \b
    e.g.: releases blog
          releases blog -n 5 --format json
    """
    from plugins.releases import show

    api.app(app)
    live = _live_number(app)
    rows = [show.row(release, live) for release in itertools.islice(api.kernel.newest_releases(app), count)]
    if not rows and format == "stdout":
        api.output.info(f"{app} has no release yet")
    api.commands.print_table(rows, format)


@api.commands.command("releases:info")
@api.commands.format_option
@api.commands.app_argument
@_release_argument("vN")
def releases_info(app, vn, format):
    """Print what a release of an app is made of: image, commit, formation, routes, limits, and the names of its config.

    Changes are shown against the release that was live before it. Values are never shown.

    \b
    e.g.: releases:info blog v3
          releases:info blog v3 --format json
    """
    from plugins.releases import show

    api.app(app)
    rows = show.info(api.release(app, vn), _live_number(app))
    if format == "json":
        api.commands.print_json(rows)
    else:
        api.commands.print_report(f"{app} v{vn}", show.info_lines(rows))


@api.commands.command("releases:diff")
@api.commands.format_option
@api.commands.app_argument
@_release_argument("vA")
@_release_argument("vB", required=False)
def releases_diff(app, va, vb, format):
    """Compare two releases of an app, or one with the live one: how vB differs from vA.

    Image, commits with their subjects, names of config, formation, domains, ports, limits. Config values are not shown.

    \b
    e.g.: releases:diff blog v3 v5
          releases:diff blog v3 --format json
    """
    from plugins.releases import show

    api.app(app)
    vb = vb or _live_number(app)
    if not vb:
        raise api.errors.UsageError(
            f"no release of {app} is live to compare with", "give the second release too: releases:diff --help"
        )
    old, new = api.release(app, va), api.release(app, vb)
    if format == "json":
        api.commands.print_json(show.compare(old, new))
        return
    api.output.data(f"=====> {app} {old.name} -> {new.name}")
    for line in show.compare_lines(old, new):
        api.output.data("       " + line)


@api.commands.command("releases:rollback")
@click.option("--only", type=click.Choice(["image", "config"]), help="Take back only the image, or only the config")
@click.option("--all", "everything", is_flag=True, help="Take back formation, domains and all settings too")
@api.commands.plan_option
@api.commands.wait_option
@api.commands.app_argument
@_release_argument("vN", required=False)
def releases_rollback(app, vn, only, everything, plan):
    """Go back to a former release of an app; without vN to the one that was live before.

    It is a new release with the image and the app's config of the old one; nothing goes down. The config is
    set to what it was, so the next push keeps it. The global config, and what plugins add, are as they are now. Where
    the old image is not here any more, its commit is built again. A second rollback undoes the first.

    \b
    e.g.: releases:rollback blog
          releases:rollback blog v3
          releases:rollback blog v3 --only image
          releases:rollback blog v3 --all --plan
    """
    if only and everything:
        raise api.errors.UsageError("--only and --all cannot be combined", "releases:rollback --help")
    api.app(app)
    if plan:
        api.commands.print_plan(api.kernel.plan_rollback(app, vn, only or "", everything))
    else:
        api.roll_back(app, vn, only or "", everything)


@api.commands.command("releases:output")
@api.commands.app_argument
@_release_argument("vN", required=False)
def releases_output(app, vn):
    """Print what the build and deploy of a release have printed; without vN of the newest release.

    \b
    e.g.: releases:output blog v3
    """
    from plugins.releases import show

    api.app(app)
    newest = next(api.kernel.newest_releases(app), None)
    if newest is None:
        raise api.errors.NotFound(f"{app} has no release yet", f"git push paas@<host>:{app} main")
    release = api.release(app, vn) if vn else newest
    try:
        with open(show.output_path(release), encoding="utf-8", errors="replace") as file:
            for line in file:
                api.output.data(line.rstrip("\n"))
    except FileNotFoundError:
        raise api.errors.NotFound(
            f"the output of {release.name} of {app} is no longer kept",
            f"to keep more of them: releases:set {app} keep 50",
        ) from None


@api.commands.command("releases:prune")
@api.commands.wait_option
@api.commands.app_argument
def releases_prune(app):
    """Remove the images, output and commits of the releases that an app does not keep.

    That happens after each deploy by itself; this does it now, such as after releases:set. The live release, and those
    that releases:rollback can go back to at once, are kept; so is the list of all releases.

    \b
    e.g.: releases:prune blog
    """
    from plugins.releases import pruning

    with api.lock(app, frozen_too=True):
        removed = pruning.prune(api.app(app))
    for what, names in removed.items():
        if names:
            api.output.info(f"{what}: {' '.join(names)}")
    total = sum(len(names) for names in removed.values())
    api.output.step(f"{app}: {total} removed" if total else f"{app}: nothing to remove")


@api.commands.command("releases:set")
@api.commands.target_argument("For all apps that have no number of their own")
@click.argument("key", metavar="keep")
@click.argument("number", metavar="[<number>]", default="")
def releases_set(app, key, number):
    """Set or clear how many releases are kept: that many of those that were live (10).

    \b
    e.g.: releases:set blog keep 20
          releases:set --global keep 5
          releases:set blog keep
    """
    if not number:
        key, _, number = key.partition("=")  # keep=20 says the same
    if key != "keep":
        raise api.errors.UsageError("the app and the number of releases are missing", "releases:set <app> keep 10")
    value = settings.parse_keep(number) if number else None
    if app is None:
        api.kernel.edit_platform(lambda document: settings.write(document, value))
    else:
        api.edit_app(app, lambda document: settings.write(document, value))
    shown = f"is {value}" if value else "is cleared"
    api.output.step(f"keep of {'all apps' if app is None else app} {shown}")


releases_report = api.commands.report_command(
    "releases",
    lambda app: {"releases-keep": settings.keep(app), "releases-kept": kept_names(app)},
    "Report how many releases of an app are kept",
)


def kept_names(app) -> list[str]:
    """The releases that the app can go back to at once, newest first."""
    return [release.name for release in api.kernel.kept_releases(app.name, settings.keep(app))]


@api.commands.command("deploy:plan")
@api.commands.format_option
@api.commands.app_argument
def deploy_plan(app, format):
    """Print step by step what the next deploy of an app would do, and do nothing.

    It shows what waits for it, such as config set with --no-restart, and what would start, be routed and retire. A
    push may bring another Procfile, which is known only then.

    \b
    e.g.: deploy:plan blog
          deploy:plan blog --format json
    """
    live = api.live_release(api.app(app).name)
    plan = api.kernel.plan(
        app,
        "deploy",
        lambda document: document.pop("stopped", None),  # a deploy starts the app
        builds=live.commit if live else "",
        force=True,
    )
    api.commands.print_plan(plan, format)
