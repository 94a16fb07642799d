"""The commands config:*. What changes config prints names, never values."""

import click

from minipaas_lib import api
from plugins.config import change, formats


def _complete(ctx, param, incomplete):
    """The app, then the names of its variables."""
    words = [word for word in ctx.params.get("words") or () if not word.startswith("-")]
    if not words:
        return api.commands.complete_apps(ctx, param, incomplete)
    from click.shell_completion import CompletionItem

    suffix = "=" if ctx.info_name == "config:set" else ""
    return [CompletionItem(name + suffix) for name in sorted(api.app(words[0]).config) if name.startswith(incomplete)]


_global = click.option("--global", "everyone", is_flag=True, help="The config of all apps, beneath their own")
_merged = click.option("--merged", is_flag=True, help="With the global config; the app's own wins")
_no_restart = click.option("--no-restart", is_flag=True, help="Wait for the next release; what runs stays as it is")
_words = click.argument("words", nargs=-1, metavar="<app>|--global ...", shell_complete=_complete)
_one = click.argument("words", nargs=-1, metavar="<app>|--global", shell_complete=_complete)


def _target(everyone: bool, words: tuple) -> tuple[str | None, list[str]]:
    """The app that was named, or None for --global, and the words after it."""
    if everyone:
        return None, list(words)
    if not words:
        raise api.errors.UsageError("no app is given", f"{api.caller.command()} <app>, or --global")
    return api.app(api.names.app_name(words[0])).name, list(words[1:])


def _plans_one(everyone: bool, plan: bool) -> None:
    if everyone and plan:
        raise api.errors.UsageError("--plan shows one app, not --global", f"{api.caller.command()} <app> ... --plan")


def _only_target(everyone: bool, words: tuple) -> str | None:
    """As _target, for commands that take nothing more."""
    app, rest = _target(everyone, words)
    if rest:
        raise api.errors.UsageError(
            f"there is a word too much: {api.names.safe(rest[0])}", f"{api.caller.command()} --help"
        )
    return app


def _found(app: str | None, merged: bool) -> dict[str, str]:
    """The config to show, sorted by name."""
    config = api.merged_config(api.app(app)) if app and merged else change.present(app)
    return dict(sorted(config.items()))


def _show(everyone: bool, merged: bool, format: str, words: tuple) -> None:
    app = _only_target(everyone, words)
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
@_global
@_merged
@api.commands.format_option
@_one
def config(everyone, merged, format, words):
    """Print the config of an app; the same as config:show.

    \b
    e.g.: config blog
    """
    _show(everyone, merged, format, words)


@api.commands.command("config:show")
@_global
@_merged
@api.commands.format_option
@_one
def config_show(everyone, merged, format, words):
    """Print the config of an app, or the global one.

    \b
    e.g.: config:show blog
          config:show blog --merged --format json
          config:show --global
    """
    _show(everyone, merged, format, words)


@api.commands.command("config:get")
@_global
@_merged
@click.option("--quoted", is_flag=True, help="Print the value in quotes for sh")
@_words
def config_get(everyone, merged, quoted, words):
    """Print the value of one config variable; exit 1 where there is none.

    \b
    e.g.: config:get blog DATABASE_URL
          config:get --global TZ
    """
    app, rest = _target(everyone, words)
    if len(rest) != 1:
        raise api.errors.UsageError("config:get takes one name", f"config:get {app or '--global'} NAME")
    name = api.names.config_name(rest[0])
    config = _found(app, merged)
    if name not in config:
        raise api.errors.NotFound(f"{app or 'the global config'} has no {name}", f"config:keys {app or '--global'}")
    value = config[name]
    api.output.exact(formats.to_shell({name: value})[len(name) + 1 : -1] if quoted else value)


@api.commands.command("config:keys")
@_global
@_merged
@api.commands.format_option
@_one
def config_keys(everyone, merged, format, words):
    """List the names of an app's config variables.

    \b
    e.g.: config:keys blog
    """
    api.commands.print_list(list(_found(_only_target(everyone, words), merged)), format)


@api.commands.command("config:export")
@_global
@_merged
@click.option(
    "--format", "format", type=click.Choice(["env", "shell", "json"]), default="env", help="env, shell or json"
)
@_one
def config_export(everyone, merged, format, words):
    """Print the config as .env lines, as shell assignments or as JSON; config:import reads each of them back.

    \b
    e.g.: config:export blog
          config:export blog --format json
    """
    config = _found(_only_target(everyone, words), merged)
    write = {"env": formats.to_env_lines, "shell": formats.to_shell, "json": formats.to_json}[format]
    text = write(config)
    if text:
        api.output.exact(text.removesuffix("\n"))


@api.commands.command("config:set")
@_global
@click.option("--encoded", is_flag=True, help="The values are base64")
@_no_restart
@api.commands.plan_option
@api.commands.wait_option
@click.argument("words", nargs=-1, metavar="<app>|--global NAME=value ... | -", shell_complete=_complete)
def config_set(everyone, encoded, no_restart, plan, words):
    """Set config variables, and restart what runs with them.

    A single - reads NAME=value lines or a JSON object from stdin, which keeps secrets off every command line. Over
    ssh a value with spaces is quoted twice: once for your shell, once for ours.

    \b
    e.g.: config:set blog TZ=UTC LOG=debug
          ssh paas@<host> config:set blog 'MOTTO="to be, or not"'
          ssh paas@<host> config:set blog - < .env
          config:set blog TZ=UTC --plan
    """
    _plans_one(everyone, plan)
    app, rest = _target(everyone, words)
    if rest == ["-"]:
        pairs = formats.parse_env(api.commands.read_input("-", formats.TEXT_LIMIT))
        if not pairs:
            raise api.errors.UsageError("stdin holds no NAME=value lines", "write each line as NAME=value")
    else:
        pairs = formats.parse_pairs(rest, app or "--global")
    if encoded:
        pairs = formats.decode(pairs)
    change.apply(app, change.present(app) | pairs, restart=not no_restart, plan=plan)


@api.commands.command("config:unset")
@_global
@_no_restart
@api.commands.plan_option
@api.commands.wait_option
@click.argument("words", nargs=-1, metavar="<app>|--global NAME ...", shell_complete=_complete)
def config_unset(everyone, no_restart, plan, words):
    """Remove config variables, and restart what runs without them.

    \b
    e.g.: config:unset blog LOG
    """
    _plans_one(everyone, plan)
    app, rest = _target(everyone, words)
    if not rest:
        raise api.errors.UsageError("no name is given", f"config:unset {app or '--global'} NAME")
    gone = {api.names.config_name(name) for name in rest}
    present = change.present(app)
    for name in sorted(gone - present.keys()):
        api.output.info(f"{app or 'the global config'} has no {name}")
    left = {name: value for name, value in present.items() if name not in gone}
    change.apply(app, left, restart=not no_restart, plan=plan)


@api.commands.command("config:import")
@_global
@click.option("--replace", is_flag=True, help="Remove the variables that are not in the input")
@_no_restart
@api.commands.wait_option
@click.argument("words", nargs=-1, metavar="<app>|--global [FILE|-]", shell_complete=_complete)
def config_import(everyone, replace, no_restart, words):
    """Set config variables from a file or stdin: NAME=value lines (with `export ` or not) or a JSON object.

    \b
    e.g.: ssh paas@<host> config:import blog < .env
          minipaas config:import blog /root/blog.env --replace
    """
    app, rest = _target(everyone, words)
    if len(rest) > 1:
        raise api.errors.UsageError("config:import takes one file", f"config:import {app or '--global'} .env")
    pairs = formats.parse_env(api.commands.read_input(rest[0] if rest else "-", formats.TEXT_LIMIT))
    if not pairs:
        raise api.errors.UsageError(
            "the input holds no NAME=value lines", f"config:clear {app or '--global'} removes all"
        )
    change.apply(app, pairs if replace else change.present(app) | pairs, restart=not no_restart)


@api.commands.command("config:clear")
@_global
@_no_restart
@api.commands.wait_option
@_one
def config_clear(everyone, no_restart, words):
    """Remove all config variables of an app, or all global ones.

    \b
    e.g.: config:clear blog
    """
    change.apply(_only_target(everyone, words), {}, restart=not no_restart)
