"""guard:set and guard:report."""

import click

from minipaas_lib import api
from plugins.build_guard import room, settings


@api.commands.command("guard:set")
@api.commands.target_argument("Set it for all apps")
@click.argument("key", metavar="<key>")
@click.argument("text", metavar="[<value>]", default="")
def guard_set(app, key, text):
    """Set or clear what must be free before a build, and how much memory builds may use.

    Unless it is set, what must be free is what the app's last build took and some more. Without a value a setting is
    cleared.

    \b
    min-free-disk    disk space where docker keeps images, such as 500m or 2g
    min-free-memory  memory, such as 128m; 0 asks for none
    min-free-inodes  a number of files
    build-memory     only with --global: the memory that all builds together may use: a size, off, or auto
                     (the default: what is free, and no cap on a host with 2 GB or more)
    keep-cache       only with --global: how much build cache stays when room is made (1g)

    \b
    e.g.: guard:set blog min-free-disk 300m
          guard:set --global build-memory 512m
          guard:set blog min-free-disk
    """
    value = settings.parse(key, text) if text or key not in settings.PROPERTIES else None
    if app and key in settings.EVERYWHERE:
        raise api.errors.UsageError(f"{key} can only be set for all apps", f"guard:set --global {key} {text}".rstrip())

    def change(document):
        table = document.setdefault(settings.TABLE, {})
        if value is not None:
            table[key] = value
        else:
            table.pop(key, None)
        if not table:
            del document[settings.TABLE]

    if app:
        api.edit_app(app, change)
    else:
        api.kernel.edit_platform(change)
    api.output.step(f"{key} of {app or 'all apps'} is {text or 'cleared'}")


guard_report = api.commands.report_command(
    "guard", room.report, "Report what a build of an app needs, and what is free", room.report
)
