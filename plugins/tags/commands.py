"""Say on which nodes an app may run."""

import click

from minipaas_lib import api
from plugins.tags import settings

tags_report = api.commands.report_command(
    "tags",
    lambda app: {f"tag-{key}": value for key, value in settings.of(app.document).items()},
    "Report which nodes an app asks for.",
)


@api.commands.command("tags:set")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("pairs", nargs=-1, required=True, metavar="<key>=<value>...")
def tags_set(app, pairs):
    """Have an app run only on nodes that have all of its tags, and move it there.

    On a host without a cluster they wait.

    \b
    e.g.: tags:set blog disk=ssd
          tags:set blog disk=ssd zone=b
    """
    change(app, settings.of(api.app(app).document) | settings.parse(pairs))


@api.commands.command("tags:unset")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("keys", nargs=-1, required=True, metavar="<key>...")
def tags_unset(app, keys):
    """Remove tags of an app, and place it again.

    \b
    e.g.: tags:unset blog disk
    """
    present = settings.of(api.app(app).document)
    if missing := next((key for key in keys if key not in present), None):
        raise api.errors.NotFound(f"{app} has no tag {api.names.safe(missing)}", f"tags:report {app}")
    change(app, {key: value for key, value in present.items() if key not in keys})


def change(app: str, wanted: dict[str, str]) -> None:
    """Set the tags and place the app by them; where that fails they are as before."""
    said = " ".join(f"{key}={value}" for key, value in wanted.items()) or "any node"
    former = settings.of(api.app(app).document)
    member = api.kernel.cluster.settings() is not None
    if member:
        machines = api.kernel.engines.machines(api.scheduler())
        if not settings.fitting(machines, wanted):
            there = settings.described(machines) or "none"
            raise api.errors.UsageError(f"no node has {said} (there are: {there})", "cluster:status")
    api.edit_app(app, lambda document: settings.put(document, wanted))
    if not member:
        api.output.step(f"{app} asks for {said}; this host is on its own, so that takes effect once it joins a cluster")
        return
    try:
        moved = former != wanted and api.change(app, f"tags: {said}", force=True)
    except api.errors.MinipaasError:
        api.edit_app(app, lambda document: settings.put(document, former))
        raise
    if not moved:
        api.output.step(f"{app} asks for {said}")
