"""The releases of an app."""

import click
from minipaas_lib import api


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
    api.app(app)
    live = api.live_release(app)
    newest = api.releases(app)[: -count - 1 : -1]
    if not newest and format == "stdout":
        api.output.info(f"{app} has no release yet")
    api.commands.print_table([row(release, live.number if live else 0) for release in newest], format)


def row(release: "api.Release", live: int) -> dict:
    """One line of the list."""
    status = "superseded" if release.status == "released" else release.status
    if release.number == live:
        status = "live"  # traffic has moved, even where a kill kept that from being written down
    reason = f"{release.reason}: {release.failure}" if release.failure else release.reason
    return {"v": release.name, "status": status, "when": release.created, "who": release.author, "reason": reason}
