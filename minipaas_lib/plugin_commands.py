"""The commands of third-party plugins, in Python or as programs."""

import click

from minipaas_lib import commands, errors


def load(name: str, plugin: str, manifest: dict):
    """The click command `name` of an installed plugin. Raises errors.PluginFailed if it cannot be loaded."""
    if name in manifest.get("executables", {}).get("commands", ()):
        return of_program(name, plugin, manifest["commands"][name])
    from minipaas_lib.bus import third_party

    try:
        command = getattr(third_party.importlib_module(plugin, "commands"), name.replace(":", "_").replace("-", "_"))
        if not isinstance(command, click.Command):
            raise TypeError(f"{command!r} is not a click command")
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise errors.PluginFailed(
            f"plugin {plugin}: {name} cannot be loaded: {reason}", f"minipaas plugin:disable {plugin}"
        ) from error
    if command.callback is not None:
        command.callback = _named(name, plugin, command.callback)
    return command


def named(name: str):
    """The click command `name` of any plugin. Raises errors.PluginFailed, KeyError if there is none."""
    import importlib

    from minipaas_lib.bus import index

    entry = index.load().commands[name]
    manifest = index.load().installed.get(entry.plugin)
    if manifest is not None:
        return load(name, entry.plugin, manifest)
    module = importlib.import_module(f"plugins.{entry.plugin}.commands")
    return getattr(module, name.replace(":", "_").replace("-", "_"))


def _named(name: str, plugin: str, function):
    """`function`, with its unexpected exceptions attributed to the plugin."""
    import functools

    @functools.wraps(function)
    def run(*arguments, **named):
        try:
            return function(*arguments, **named)
        except (errors.MinipaasError, click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            message = f"plugin {plugin}: {name} failed: {type(error).__name__}: {error}"
            raise errors.PluginFailed(message, "send its author what --trace shows") from error

    return run


def of_program(name: str, plugin: str, entry):
    """A click command that checks the words against plugin.toml and passes them to the plugin's program."""
    entry = {"help": entry} if isinstance(entry, str) else entry
    words: list[str] = []

    class Program(commands.Command):
        def parse_args(self, ctx, args):
            typed = list(args)  # the parser empties it
            rest = super().parse_args(ctx, args)
            words[:] = [word for word in commands.app_in_its_place(ctx, typed) if word != "--trace"]
            return rest

    def run(**parsed):
        from minipaas_lib.bus import executables

        return executables.run_command(plugin, name, words)

    example = entry.get("example", "")
    text = f"{entry['help']}." + (f"\n\n\b\ne.g.: {example}" if example else "")
    settings = dict(commands.SETTINGS)
    parameters: list[click.Parameter] = [click.Option(["--trace"], is_flag=True, hidden=True, expose_value=False)]
    if "arguments" not in entry and "options" not in entry:  # the program reads its own words
        settings |= {"ignore_unknown_options": True}
        parameters.append(click.Argument(["words"], nargs=-1, metavar="[<argument> ...]", type=click.UNPROCESSED))
    values = entry.get("values", {})
    parameters += [_argument(spelling, values) for spelling in entry.get("arguments", [])]
    parameters += [_option(spelling, text, values) for spelling, text in entry.get("options", {}).items()]
    return Program(name, context_settings=settings, callback=run, help=text, params=parameters)


def _offers(values: list[str]):
    """A function for click's shell_complete: the matching ones of the values."""

    def complete(ctx, param, incomplete: str) -> list:
        from click.shell_completion import CompletionItem

        return [CompletionItem(value) for value in values if value.startswith(incomplete)]

    return complete


def _argument(spelling: str, values: dict[str, list[str]]) -> click.Argument:
    """The argument for `<app>`, `[<app>]`, `<value>...` or `[<value>...]`; one called app must be an app's name."""
    word = spelling.strip("[]").removesuffix("...").strip("<>")
    many = spelling.strip("[]").endswith("...")
    required = not spelling.startswith("[")
    settings = {"shell_complete": _offers(values[word])} if word in values else {}
    settings |= {"nargs": -1 if many else 1, "required": required, "metavar": spelling}
    if word == "app":
        return commands.AppArgument([word], type=commands.AppName(), every=not required, **settings)
    return click.Argument([word.replace("-", "_")], **settings)


def _option(spelling: str, text: str, values: dict[str, list[str]]) -> click.Option:
    flag, _, value = spelling.partition("=")
    if value:
        offered = values.get(value.strip("<>"))
        option_type = commands.AppName() if value == "<app>" else None
        return click.Option(
            [flag], type=option_type, help=text, metavar=value, shell_complete=_offers(offered) if offered else None
        )
    return click.Option([flag], is_flag=True, help=text)
