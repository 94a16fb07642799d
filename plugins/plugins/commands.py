"""Which plugins there are."""

from minipaas_lib import api


@api.commands.command("plugin:list")
@api.commands.format_option
def plugin_list(format):
    """List the plugins and what each is for.

    \b
    e.g.: plugin:list
          plugin:list --format json
    """
    rows = [
        {"name": name, "version": about.get("version", ""), "summary": about.get("summary", "")}
        for name, about in sorted(api.index.load().plugins.items())
    ]
    api.commands.print_table(rows, format)
