"""What commands are made of: click commands with our arguments, options and ways to print."""

import sys

import click

from minipaas_lib import errors, names, output

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class AppName(click.ParamType):
    """The name of an app, checked before it goes anywhere."""

    name = "app"

    def convert(self, value, param, ctx):
        return names.app_name(value)

    def shell_complete(self, ctx, param, incomplete):
        return complete_apps(ctx, param, incomplete)


def complete_apps(ctx, param, incomplete: str) -> list:
    """The apps whose names begin so, for click's shell_complete; none for a key that may not list them."""
    from click.shell_completion import CompletionItem

    from minipaas_lib import caller
    from minipaas_lib.bus import manager
    from minipaas_lib.pipeline import apps

    try:
        manager.call("authorize", key=caller.key(), command="apps:list", app="")
    except errors.MinipaasError:
        return []
    return [CompletionItem(name) for name in apps.names() if name.startswith(incomplete)]


def complete_processes(suffix: str = "", indexes: bool = False):
    """A function for click's shell_complete: the process types of the app that was typed before, `suffix` after each.

    With `indexes` also its processes: web.1.
    """

    def complete(ctx, param, incomplete: str) -> list:
        from click.shell_completion import CompletionItem

        from minipaas_lib.pipeline import releases

        app = ctx.params.get("app")
        live = releases.live(app) if app else None
        found = []
        for kind, count in live.formation.items() if live else ():
            found += [kind + suffix, *(f"{kind}.{number}" for number in range(1, count + 1) if indexes)]
        return [CompletionItem(name) for name in found if name.startswith(incomplete)]

    return complete


class Command(click.Command):
    """A click command whose --wait never takes the next word for its seconds: they come as --wait=SECONDS."""

    def parse_args(self, ctx, args):
        if any("--wait" in parameter.opts for parameter in self.params):
            args = ["--wait=600" if word == "--wait" else word for word in args]
        return super().parse_args(ctx, args)


def command(name: str, **settings):
    """Decorator: a click command of that name, with the options every command has."""

    def decorate(function):
        context = SETTINGS | settings.pop("context_settings", {})
        made = click.command(name, cls=Command, context_settings=context, **settings)(function)
        made.params.append(click.Option(["--trace"], is_flag=True, hidden=True, expose_value=False))
        return made

    return decorate


def app_argument(function):
    """The argument `<app>`."""
    return click.argument("app", type=AppName(), metavar="<app>")(function)


def optional_app_argument(function):
    """The argument `[<app>]`; None when it is not given."""
    return click.argument("app", type=AppName(), metavar="[<app>]", required=False)(function)


def format_option(function):
    """The option --format stdout|json."""
    choice = click.Choice(["stdout", "json"])
    return click.option("--format", "format", type=choice, default="stdout", help="How to print: stdout or json")(function)


def wait_option(function):
    """The option --wait[=SECONDS]: wait for the app's lock. Sets what locks.app_lock reads."""
    from minipaas_lib.pipeline import locks

    def remember(ctx, param, value):
        if value is not None:
            locks.patience = value

    return click.option(
        "--wait",
        type=float,
        expose_value=False,
        callback=remember,
        metavar="[=SECONDS]",
        help="Wait for another command on the app to end, 600 seconds at most unless said otherwise",
    )(function)


def plan_option(function):
    """The option --plan: print what would be done (see print_plan), and do nothing."""
    return click.option("--plan", is_flag=True, help="Print step by step what would be done, and do nothing")(function)


def print_plan(preview, format: str = "stdout") -> None:
    """The steps of what api.plan or api.plan_rollback gave."""
    if format == "json":
        print_json(preview.to_document())
        return
    output.data(f"=====> What would be done to {preview.app}; nothing is changed now")
    for step in preview.steps():
        output.data("       " + output.tame(step))


def print_json(value) -> None:
    output.exact(output.to_json(value))


def print_list(values: list, format: str = "stdout") -> None:
    """One value a line, or a JSON array."""
    if format == "json":
        print_json(values)
    else:
        for value in values:
            output.data(str(value))


def print_table(rows: list[dict], format: str = "stdout") -> None:
    """Rows with the same keys: aligned columns under a header, or a JSON array of objects."""
    if format == "json":
        print_json(rows)
        return
    if not rows:
        return
    cells = [[key.upper().replace("_", " ") for key in rows[0]]] + [[plain(value) for value in row.values()] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    for row in cells:
        output.data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def plain(value) -> str:
    """A value for people, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return output.tame(" ".join(str(item) for item in value))
    return output.tame(str(value))


def print_report(title: str, rows: dict, flag: str | None = None) -> None:
    """A titled block of `label: value` lines, or with a flag such as `--ps-running` that one value."""
    if flag:
        output.data(plain(flag_value(rows, flag)))
        return
    output.data(f"=====> {title}")
    for key, value in rows.items():
        output.data(f"       {key.replace('-', ' ').capitalize() + ':':<33} {plain(value)}".rstrip())


def flag_value(rows: dict, flag: str):
    """The value of a report that `--key` asks for. Raises errors.UsageError that names the keys there are."""
    key = flag.removeprefix("--")
    if key not in rows:
        raise errors.UsageError(f"there is no {names.safe(flag)} in this report", "one of: " + " ".join(f"--{k}" for k in rows))
    return rows[key]


def report_command(noun: str, rows, summary: str, everywhere=None):
    """The command `<noun>:report [<app>|--global] [--<key>] [--format json]`.

    `rows` is a function App -> dict; `everywhere` a function () -> dict for --global, where the noun has a global part.
    """
    settings = {"ignore_unknown_options": True}

    @command(f"{noun}:report", help=f"{summary}\n\n\b\ne.g.: {noun}:report blog\n      {noun}:report blog --format json",
             context_settings=settings)
    @click.option("--global", "everyone", is_flag=True, hidden=everywhere is None, help="Report the global settings")
    @format_option
    @click.argument("words", nargs=-1, metavar="[<app>] [--<key>]", shell_complete=complete_apps)
    def report(everyone, format, words):
        from minipaas_lib.pipeline import apps

        flags = [word for word in words if word.startswith("--")]
        chosen = [names.app_name(word) for word in words if not word.startswith("--")]
        if len(flags) > 1 or len(chosen) > 1:
            raise errors.UsageError("a report takes one app and one flag at most", f"{noun}:report --help")
        if everyone and everywhere:
            found = {"--global": everywhere()}
        else:
            found = {chosen[0]: rows(apps.load(chosen[0]))} if chosen else apps.of_each(lambda name: rows(apps.load(name)))
        if format == "json":
            whole = found[chosen[0]] if chosen else found
            print_json(flag_value(whole, flags[0]) if flags and chosen else whole)
            return
        for name, table in found.items():
            print_report(f"{name} {noun} information", table, flags[0] if flags else None)

    return report


def confirm(name: str, force: bool) -> None:
    """Ask for the app's name before something that cannot be undone. Raises errors.UsageError when it is not given."""
    if force:
        return
    output.warn(f"this removes {name} and all that belongs to it. Type its name to go on:")
    if sys.stdin.readline().strip() != name:
        raise errors.UsageError("the name typed does not match, nothing was removed", f"{caller_command()} {name} --force")


def read_input(path: str, limit: int) -> str:
    """The text a command is given in the file `path`, or on stdin for `-`; `limit` is in bytes.

    Only root on the host may name a file: over ssh it would be one of the host's, not the client's. Raises
    errors.UsageError.
    """
    from minipaas_lib import caller, paths

    if path == "-":
        data = sys.stdin.buffer.read(limit + 1)
    elif caller.key() != "root":
        raise errors.UsageError("a file cannot be named over ssh", f"ssh paas@<host> {caller.command()} ... - < {path}")
    else:
        try:
            with paths.open_as_caller(path) as file:
                data = file.read(limit + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not the name of a file"
            raise errors.UsageError(f"{names.safe(path)} cannot be read: {why}", "give the path of a file, or -") from None
    where = "stdin" if path == "-" else names.safe(path)
    if len(data) > limit:
        raise errors.UsageError(f"{where} holds more than {limit // 1024} KiB", "send less")
    try:
        return data.decode("utf-8-sig")  # some editors of Windows put a mark of three bytes before the text
    except UnicodeDecodeError:
        pass
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise errors.UsageError(f"{where} is UTF-16 text, as PowerShell writes it with >", "save it as UTF-8 and send it again")
    raise errors.UsageError(f"{where} is not UTF-8 text", "send plain text") from None


def caller_command() -> str:
    from minipaas_lib import caller

    return caller.command()
