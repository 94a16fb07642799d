"""One report of an app: what is live, then what each plugin has to say."""

import click
from minipaas_lib import api


@api.commands.command("report", context_settings={"ignore_unknown_options": True})
@api.commands.format_option
@click.argument("words", nargs=-1, metavar="[<app>] [--<key>]")
def report(format, words):
    """Report everything about an app, or about all.

    \b
    e.g.: report blog
          report blog --live
          report --format json
    """
    flags = [word for word in words if word.startswith("--")]
    chosen = [api.names.app_name(word) for word in words if not word.startswith("--")]
    if len(flags) > 1 or len(chosen) > 1:
        raise api.errors.UsageError("a report takes one app and one flag at most", "report --help")
    failed = 0
    found = {}
    for name in chosen or api.app_names():
        try:
            found[name] = rows(api.app(name))
        except api.errors.MinipaasError as error:
            if chosen:
                raise
            if api.app_is_gone(name, error):
                continue
            failed += 1
            api.output.warn(f"{name}: {error.message}")
    if format == "json":
        whole = found[chosen[0]] if chosen else found
        api.commands.print_json(api.commands.flag_value(whole, flags[0]) if flags and chosen else whole)
    else:
        for name, table in found.items():
            api.commands.print_report(f"{name} report", table, flags[0] if flags else None)
    return 1 if failed else 0


def rows(app: "api.App") -> dict:
    """Where an app answers and what is live, then what the plugins' report hooks say; no thing twice."""
    live = api.live_release(app.name)
    table = {"live": live.name if live else "", "urls": api.urls(live) if live else []}
    for found in api.call("report", app=app):
        told = {key: value for key, value in found.items() if key not in ("app-live-release", "deployed")}
        table = table | told
    return table
