"""The report of an app: what is live, then the report of each plugin."""

from minipaas_lib import api


@api.commands.command("report", context_settings={"ignore_unknown_options": True})
@api.commands.format_option
@api.commands.report_words
def report(format, words):
    """Report everything about an app, or about all.

    \b
    e.g.: report blog
          report blog --live
          report --format json
    """
    app, flag = api.commands.chosen_report(words)
    failed: list[str] = []
    found = {app: rows(api.app(app))} if app else api.of_each_app(lambda name: rows(api.app(name)), failed)
    api.commands.print_reports(found, app, flag, "report", format)
    return 1 if failed else 0


def rows(app: "api.App") -> dict:
    """An app's URLs and live release, then the answers of the plugins' report hooks, nothing twice."""
    live = api.live_release(app.name)
    table = {"live": live.name if live else "", "urls": api.urls(live) if live else []}
    for found in api.call("report", app=app):
        told = {key: value for key, value in found.items() if key not in ("app-live-release", "deployed")}
        table = table | told
    return table
