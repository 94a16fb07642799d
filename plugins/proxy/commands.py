"""The proxy:* commands."""

from minipaas_lib import api
from plugins.proxy import state


@api.commands.command("proxy:enable")
@api.commands.app_argument
@api.commands.wait_option
def proxy_enable(app):
    """Serve an app at its domains again.

    \b
    e.g.: proxy:enable blog
    """
    if state.enabled(api.app(app)):
        api.output.step(f"the proxy of {app} is already enabled")
        return
    api.change(app, "proxy:enable", lambda document: state.set_enabled(document, True))
    api.output.step(f"{app} is served at its domains")


@api.commands.command("proxy:disable")
@api.commands.app_argument
@api.commands.wait_option
def proxy_disable(app):
    """Take an app's domains away from outside. Its processes go on running.

    \b
    e.g.: proxy:disable blog
    """
    if not state.enabled(api.app(app)):
        api.output.step(f"the proxy of {app} is already disabled")
        return
    api.change(app, "proxy:disable", lambda document: state.set_enabled(document, False))
    api.output.step(f"{app} is no longer served; to undo this: proxy:enable {app}")


proxy_report = api.commands.report_command("proxy", state.rows, "Show whether an app is served at its domains.")
