"""Set and report how an app is checked."""

import click
from minipaas_lib import api

from plugins.checks import hooks, settings

checks_report = api.commands.report_command("checks", hooks.report, "Report how an app is checked.")


@api.commands.command("checks:set")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("key", metavar="<key>")
@click.argument("value", required=False, default="", metavar="[<value>]")
def checks_set(app, key, value):
    """Set or clear how an app is checked.

    wait-to-retire: the seconds that an old web process may finish its requests in once traffic has moved on (30).
    What was set holds from the next deploy on; without a value the setting is cleared.

    \b
    e.g.: checks:set blog wait-to-retire 60
          checks:set blog wait-to-retire
    """
    if key not in settings.SETTINGS:
        raise api.errors.UsageError(
            f"there is no {api.names.safe(key)} to set", f"checks:set {app} {' or '.join(settings.SETTINGS)} <value>"
        )
    wanted = settings.SETTINGS[key](value) if value else None

    def edit(document):
        table = document.setdefault(settings.TABLE, {})
        if wanted is None:
            table.pop(key, None)
        else:
            table[key] = wanted
        if not table:
            del document[settings.TABLE]

    api.edit_app(app, edit)
    api.output.step(f"{key} of {app} is {'cleared' if wanted is None else wanted}")
