"""builder-dockerfile:set and builder-dockerfile:report."""

import click

from minipaas_lib import api
from plugins.builder_dockerfile import settings


@api.commands.command("builder-dockerfile:set")
@api.commands.wait_option
@api.commands.target_argument("Set it for all apps that have no value of their own")
@click.argument("property", metavar="<property>")
@click.argument("value", metavar="[<value>]", default="")
def builder_dockerfile_set(app, property, value):
    """Set or clear how the Dockerfile of an app is built; the next build uses it.

    \b
    dockerfile-path   where the Dockerfile is in the repository (default: Dockerfile)
    build-args        names of config variables that become build arguments, joined with commas.
                      Everybody who has the image can read them in it.
    secrets           names of config variables that steps may read and that no layer keeps, as in
                      RUN --mount=type=secret,id=NPM_TOKEN,required=true ... /run/secrets/NPM_TOKEN
    target            the stage to build (default: the last)
    no-cache          true: do every step in every build
    timeout           when a build is stopped: seconds, or such as 45m (default: 30m)

    dockerfile-path, no-cache and timeout can be set with --global, too.

    \b
    e.g.: builder-dockerfile:set blog dockerfile-path docker/Dockerfile
          builder-dockerfile:set blog build-args NODE_ENV,RELEASE_CHANNEL
          builder-dockerfile:set blog secrets NPM_TOKEN
          builder-dockerfile:set blog target release
          builder-dockerfile:set blog build-args
          builder-dockerfile:set --global timeout 1h
    """
    if property not in settings.PROPERTIES:
        settings.parse(property, value)
    wanted = settings.parse(property, value) if value else None
    if app is None and property not in settings.FOR_ALL:
        said = f"{property} can only be set for a single app: it is about its own Dockerfile and config"
        raise api.errors.UsageError(said, f"builder-dockerfile:set <app> {property} <value>")
    if app and property == "secrets" and wanted:
        config = api.merged_config(api.app(app))
        if absent := [name for name in wanted if name not in config]:
            raise api.errors.UsageError(
                f"{app} has no config {absent[0]}, and its builds would fail without it",
                f"first: config:set {app} {absent[0]}=...",
            )

    def change(document):
        if settings.TABLE not in document:
            document[settings.TABLE] = {}
        if wanted is None:
            document[settings.TABLE].pop(property, None)
        else:
            document[settings.TABLE][property] = wanted
        if not document[settings.TABLE]:
            del document[settings.TABLE]

    api.edit_app(app, change) if app else api.kernel.edit_platform(change)
    shown = f"is now {value}" if value else "is cleared"
    hint = f"; to build with it: ps:rebuild {app}" if app else ""
    api.output.step(f"{property} of {app or 'all apps'} {shown}{hint}")


def _rows(app=None) -> dict:
    """The lines of builder-dockerfile:report: the app's effective settings, and those of all apps."""
    everywhere = settings.effective(None)
    rows = {}
    if app:
        rows = {
            "builder-dockerfile-dockerfile-path": settings.dockerfile_path(app),
            "builder-dockerfile-build-args": settings.build_args(app),
            "builder-dockerfile-secrets": settings.secrets(app),
            "builder-dockerfile-target": settings.target(app),
            "builder-dockerfile-no-cache": settings.no_cache(app),
            "builder-dockerfile-timeout": settings.timeout(app),
        }
    return rows | {f"builder-dockerfile-global-{key}": everywhere.get(key, "") for key in settings.FOR_ALL}


builder_dockerfile_report = api.commands.report_command(
    "builder-dockerfile", _rows, "Report how the Dockerfile of an app is built", _rows
)
