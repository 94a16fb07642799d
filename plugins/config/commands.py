"""The commands config:*. What changes config prints names, never values."""

import click

from minipaas_lib import api
from plugins.config import change, formats


def _complete(ctx, param, incomplete):
    """The names of the app's variables."""
    from click.shell_completion import CompletionItem

    app, suffix = ctx.params.get("app"), "=" if ctx.info_name == "config:set" else ""
    names = sorted(api.app(app).config) if app else []
    return [CompletionItem(name + suffix) for name in names if name.startswith(incomplete)]


_target = api.commands.target_argument("The config of all apps, beneath their own")
_merged = click.option("--merged", is_flag=True, help="With the global config; the app's own wins")
_no_restart = click.option("--no-restart", is_flag=True, help="Wait for the next release; what runs stays as it is")
_names = click.argument("words", nargs=-1, required=True, metavar="NAME ...", shell_complete=_complete)


def _plans_one(app: str | None, plan: bool) -> None:
    if plan and app is None:
        raise api.errors.UsageError("--plan works for one app, not for --global", "give an app in place of --global")


def _found(app: str | None, merged: bool) -> dict[str, str]:
    """The config to show, sorted by name. Raises errors.NotFound."""
    if merged and not app:
        raise api.errors.UsageError("--merged needs an app", f"{api.caller.command()} <app> --merged")
    config = api.merged_config(api.app(app)) if app and merged else change.present(app)
    return dict(sorted(config.items()))


def _show(app: str | None, merged: bool, format: str) -> None:
    config = _found(app, merged)
    if format == "json":
        api.commands.print_json(config)
        return
    api.output.data(f"=====> {app or 'global'} env vars")
    width = max(map(len, config), default=0) + 2
    for name, value in config.items():
        # A value of several lines, or with terminal codes in it, is shown as a JSON string.
        api.output.data(f"{name + ':':<{width}}{value if value.isprintable() else _quoted(value)}".rstrip())


def _quoted(value: str) -> str:
    import json

    return json.dumps(value)


@api.commands.command("config")
@_target
@_merged
@api.commands.format_option
def config(app, merged, format):
    """Print the config of an app; the same as config:show.

    \b
    e.g.: config blog
    """
    _show(app, merged, format)


@api.commands.command("config:show")
@_target
@_merged
@api.commands.format_option
def config_show(app, merged, format):
    """Print the config of an app, or the global one.

    \b
    e.g.: config:show blog
          config:show blog --merged --format json
          config:show --global
    """
    _show(app, merged, format)


@api.commands.command("config:get")
@_target
@_merged
@click.option("--quoted", is_flag=True, help="Print the value in quotes for sh")
@click.argument("name", metavar="NAME", shell_complete=_complete)
def config_get(app, merged, quoted, name):
    """Print the value of one config variable; exit 1 if there is none.

    \b
    e.g.: config:get blog DATABASE_URL
          config:get --global TZ
    """
    name = api.names.config_name(name)
    config = _found(app, merged)
    if name not in config:
        raise api.errors.NotFound(f"{app or 'the global config'} has no {name}", f"config:keys {app or '--global'}")
    value = config[name]
    api.output.exact(formats.to_shell({name: value})[len(name) + 1 : -1] if quoted else value)


@api.commands.command("config:keys")
@_target
@_merged
@api.commands.format_option
def config_keys(app, merged, format):
    """List the names of an app's config variables.

    \b
    e.g.: config:keys blog
    """
    api.commands.print_list(list(_found(app, merged)), format)


@api.commands.command("config:export")
@_target
@_merged
@click.option(
    "--format", "format", type=click.Choice(["env", "shell", "json"]), default="env", help="env, shell or json"
)
def config_export(app, merged, format):
    """Print the config as .env lines, as shell assignments or as JSON; config:import reads each of them back.

    \b
    e.g.: config:export blog
          config:export blog --format json
    """
    config = _found(app, merged)
    write = {"env": formats.to_env_lines, "shell": formats.to_shell, "json": formats.to_json}[format]
    text = write(config)
    if text:
        api.output.exact(text.removesuffix("\n"))


@api.commands.command("config:set")
@_target
@click.option("--encoded", is_flag=True, help="The values are base64")
@_no_restart
@api.commands.plan_option
@api.commands.wait_option
@click.argument("words", nargs=-1, metavar="NAME=value ... | -", shell_complete=_complete)
def config_set(app, encoded, no_restart, plan, words):
    """Set config variables, and restart what runs with them.

    A single - reads NAME=value lines or a JSON object from stdin, which keeps secrets off every command line. Over
    ssh a value with spaces is quoted twice: once for your shell, once for that of the host.

    \b
    e.g.: config:set blog TZ=UTC LOG=debug
          ssh paas@<host> config:set blog 'MOTTO="to be, or not"'
          ssh paas@<host> config:set blog - < .env
          config:set blog TZ=UTC --plan
    """
    _plans_one(app, plan)
    change.present(app)  # before stdin is read
    if words == ("-",):
        pairs = formats.parse_env(api.commands.read_input("-", formats.TEXT_LIMIT))
        if not pairs:
            raise api.errors.UsageError("stdin has no NAME=value lines", "write each line as NAME=value")
    else:
        pairs = formats.parse_pairs(list(words), app or "--global")
    if encoded:
        pairs = formats.decode(pairs)
    change.apply(app, change.present(app) | pairs, restart=not no_restart, plan=plan)


@api.commands.command("config:unset")
@_target
@_no_restart
@api.commands.plan_option
@api.commands.wait_option
@_names
def config_unset(app, no_restart, plan, words):
    """Remove config variables, and restart what runs without them.

    \b
    e.g.: config:unset blog LOG
    """
    _plans_one(app, plan)
    gone = {api.names.config_name(name) for name in words}
    present = change.present(app)
    for name in sorted(gone - present.keys()):
        api.output.info(f"{app or 'the global config'} has no {name}")
    left = {name: value for name, value in present.items() if name not in gone}
    change.apply(app, left, restart=not no_restart, plan=plan)


@api.commands.command("config:import")
@_target
@click.option("--replace", is_flag=True, help="Remove the variables that are not in the input")
@_no_restart
@api.commands.wait_option
@click.argument("file", default="-", metavar="[FILE|-]")
def config_import(app, file, replace, no_restart):
    """Set config variables from a file or stdin: NAME=value lines (with `export ` or not) or a JSON object.

    \b
    e.g.: ssh paas@<host> config:import blog < .env
          minipaas config:import blog /root/blog.env --replace
    """
    change.present(app)  # before stdin is read
    pairs = formats.parse_env(api.commands.read_input(file, formats.TEXT_LIMIT))
    if not pairs:
        raise api.errors.UsageError(
            "the input has no NAME=value lines", f"to remove all variables: config:clear {app or '--global'}"
        )
    change.apply(app, pairs if replace else change.present(app) | pairs, restart=not no_restart)


@api.commands.command("config:clear")
@_target
@_no_restart
@api.commands.wait_option
def config_clear(app, no_restart):
    """Remove all config variables of an app, or all global ones.

    \b
    e.g.: config:clear blog
    """
    change.apply(app, {}, restart=not no_restart)
