"""Where an app answers."""

from minipaas_lib import api


@api.commands.command("url")
@api.commands.app_argument
def url(app):
    """Print the first URL of an app.

    \b
    e.g.: url blog
    """
    api.output.data(live_urls(app)[0])


@api.commands.command("urls")
@api.commands.app_argument
@api.commands.format_option
def urls(app, format):
    """List all URLs of an app.

    Wildcard domains are left out.

    \b
    e.g.: urls blog
          urls blog --format json
    """
    api.commands.print_list(live_urls(app), format)


def live_urls(name: str) -> list[str]:
    """The URLs of the live release. Raises errors.NotFound if there is none."""
    api.app(name)
    live = api.live_release(name)
    if live is None:
        raise api.errors.NotFound(
            f"{name} has never been deployed, so it has no URL", f"git push paas@<host>:{name} main"
        )
    found = api.urls(live)
    idle = api.kernel.idle_words(live)
    if idle and not api.app(name).stopped:
        api.output.warn(idle)
    if not found:
        raise api.errors.NotFound(
            f"{name} has no domain or no route, so it has no URL", f"proxy:report {name}, or: domains:report {name}"
        )
    return found
