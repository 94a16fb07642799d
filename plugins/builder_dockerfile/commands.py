"""builder-dockerfile:set and builder-dockerfile:report."""

import click

from minipaas_lib import api
from plugins.builder_dockerfile import settings


@api.commands.command("builder-dockerfile:set")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("property", metavar="<property>")
@click.argument("value", metavar="[<value>]", required=False, default="")
def builder_dockerfile_set(app, property, value):
    """Set or clear how the Dockerfile of an app is built; the next build uses it.

    \b
    dockerfile-path   where the Dockerfile is in the repository (default: Dockerfile)
    build-args        names of config variables that become build arguments, joined with commas.
                      Everybody who has the image can read them in it.

    \b
    e.g.: builder-dockerfile:set blog dockerfile-path docker/Dockerfile
          builder-dockerfile:set blog build-args NODE_ENV,RELEASE_CHANNEL
          builder-dockerfile:set blog build-args
    """
    if property not in settings.PROPERTIES:
        settings.parse(property, value)
    wanted = settings.parse(property, value) if value else None

    def change(document):
        if settings.TABLE not in document:
            document[settings.TABLE] = {}
        if wanted is None:
            document[settings.TABLE].pop(property, None)
        else:
            document[settings.TABLE][property] = wanted

    api.edit_app(app, change)
    shown = "is cleared" if wanted is None else f"is now {value}"
    api.output.step(f"{property} of {app} {shown}; to build with it: ps:rebuild {app}")


builder_dockerfile_report = api.commands.report_command(
    "builder-dockerfile",
    lambda app: {
        "builder-dockerfile-dockerfile-path": settings.dockerfile_path(app),
        "builder-dockerfile-build-args": settings.build_args(app),
    },
    "Report how the Dockerfile of an app is built",
)
