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
    secrets           names of config variables that steps may read and that no layer keeps, as in
                      RUN --mount=type=secret,id=NPM_TOKEN,required=true ... /run/secrets/NPM_TOKEN
    target            the stage to build (default: the last)
    no-cache          true: do every step in every build
    timeout           when a build is stopped: seconds, or such as 45m (default: 30m)

    \b
    e.g.: builder-dockerfile:set blog dockerfile-path docker/Dockerfile
          builder-dockerfile:set blog build-args NODE_ENV,RELEASE_CHANNEL
          builder-dockerfile:set blog secrets NPM_TOKEN
          builder-dockerfile:set blog target release
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
        if not document[settings.TABLE]:
            del document[settings.TABLE]

    api.edit_app(app, change)
    shown = f"is now {value}" if value else "is cleared"
    api.output.step(f"{property} of {app} {shown}; to build with it: ps:rebuild {app}")


builder_dockerfile_report = api.commands.report_command(
    "builder-dockerfile",
    lambda app: {
        "builder-dockerfile-dockerfile-path": settings.dockerfile_path(app),
        "builder-dockerfile-build-args": settings.build_args(app),
        "builder-dockerfile-secrets": settings.secrets(app),
        "builder-dockerfile-target": settings.target(app),
        "builder-dockerfile-no-cache": settings.no_cache(app),
        "builder-dockerfile-timeout": settings.timeout(app),
    },
    "Report how the Dockerfile of an app is built",
)
