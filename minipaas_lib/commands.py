"""Building blocks of commands: click commands, arguments, options and printing."""

import re
import sys
from collections.abc import Callable

import click

from minipaas_lib import errors, names, output
from minipaas_lib.bus import authority

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class AppName(click.ParamType):
    """The name of an app, validated first; then plugins may refuse the command on it."""

    name = "app"

    def convert(self, value, param, ctx):
        more = [other for other in ctx.command.params if isinstance(other, click.Argument)][1:] if ctx else []
        if more and isinstance(param, AppArgument) and self.is_forgotten(value):
            word = value if re.fullmatch("[^=]*=[0-9]{1,4}", value) else re.sub("=.*", "=...", value, flags=re.DOTALL)
            hint = f"{ctx.info_name} <app> {word}" if word.isprintable() else f"{ctx.info_name} --help"
            raise errors.UsageError(f"no app is named before {names.safe(word)}", hint)
        ask(ctx, names.app_name(value))
        return value

    def is_forgotten(self, value: str) -> bool:
        """Whether the word in the app's place looks like a later argument: web=1, example.org, http:80:5000, NAME."""
        return bool(re.search("[=:./*]", value) or re.fullmatch("[A-Z][A-Z0-9]*_[A-Z0-9_]*|-", value))

    def shell_complete(self, ctx, param, incomplete):
        return complete_apps(ctx, param, incomplete)


class NewAppName(AppName):
    """The name of an app that need not exist: any word counts as one."""

    def is_forgotten(self, value: str) -> bool:
        return False


def ask(ctx: click.Context | None, app: str) -> None:
    """Let plugins refuse the command of a context on an app, once per app. Raises what they refuse with."""
    apps_asked = asked_for(ctx)
    if app not in apps_asked:
        authority.require(ctx.find_root().info_name or "" if ctx else caller_command(), app)
        apps_asked.add(app)


def asked_for(ctx: click.Context | None) -> set[str]:
    """The apps on which plugins could already refuse a context's command."""
    return ctx.meta.setdefault(__name__ + ".asked", set()) if ctx else set()


def ask_for_the_rest(ctx: click.Context) -> None:
    """After parsing, ask for "" if no app was named, and for every app if that means all of them."""
    every = [parameter for parameter in ctx.command.params if getattr(parameter, "every", False)]
    if asked_for(ctx):  # perhaps only another app than the one that was left out
        if any(ctx.params.get(parameter.name) in (None, ()) for parameter in every):
            ask_for_all(ctx)
        return
    ask(ctx, "")
    if getattr(ctx.command, "every", False) or every:
        ask_for_all(ctx)


def ask_for_all(ctx: click.Context) -> None:
    """Let plugins refuse the command on every app."""
    if authority.is_asked(ctx.find_root().info_name or ""):
        from minipaas_lib.records import apps

        for name in apps.names():
            ask(ctx, name)


class AppArgument(click.Argument):
    """The app a command is about: a positional word, or `-a <app>` anywhere.

    `every`: naming none means all apps. `present`: whether the words typed begin with an app, decided from what the
    parser returned; None: always.
    """

    def __init__(
        self, *arguments, every: bool = False, present: Callable[[dict], bool] | None = None, **settings
    ) -> None:
        super().__init__(*arguments, **settings)
        self.every, self.present = every, present

    def add_to_parser(self, parser, ctx):
        if self.nargs == -1 or _NAMED not in ctx.meta:
            super().add_to_parser(parser, ctx)

    def consume_value(self, ctx, opts):
        if named := ctx.meta.get(_NAMED):
            words = opts.get(self.name)
            value = (*(words if isinstance(words, (list, tuple)) else ()), named) if self.nargs == -1 else named
            return super().consume_value(ctx, {**opts, self.name: value})
        return super().consume_value(ctx, opts)


_NAMED = __name__ + ".named"  # in a context's meta: the app of -a, or None if no app is among the words
_APP_OPTION = "app_option"


def complete_apps(ctx, param, incomplete: str) -> list:
    """The matching apps, for click's shell_complete; none for a key that may not list apps."""
    from click.shell_completion import CompletionItem

    from minipaas_lib import caller
    from minipaas_lib.bus import index, manager
    from minipaas_lib.records import apps

    try:
        manager.call("authorize", key=caller.key(), command=index.command_for("apps"), app="")
    except errors.MinipaasError:
        return []
    return [CompletionItem(name) for name in apps.names() if name.startswith(incomplete)]


def complete_processes(suffix: str = "", indexes: bool = False):
    """A function for click's shell_complete: the process types of the app typed before, each with `suffix`.

    With `indexes` also its processes: web.1.
    """

    def complete(ctx, param, incomplete: str) -> list:
        from click.shell_completion import CompletionItem

        from minipaas_lib.records import releases

        app = ctx.params.get("app")
        live = releases.live(app) if app else None
        words = []
        for process_type, count in live.formation.items() if live else ():
            words += [process_type + suffix, *(f"{process_type}.{number}" for number in range(1, count + 1) if indexes)]
        return [CompletionItem(name) for name in words if name.startswith(incomplete)]

    return complete


class Command(click.Command):
    """A click command with minipaas' conventions.

    With an AppArgument it accepts the app as `-a <app>` and `--app <app>` too. Its --wait never takes the next word as
    its value: seconds are given as --wait=SECONDS. `every`: it is about all apps, though none is named.
    """

    def __init__(self, *arguments, every: bool = False, **settings) -> None:
        super().__init__(*arguments, **settings)
        self.every = every
        self.help_parameter: click.Option | None = None
        self.app_argument = next((p for p in self.params if isinstance(p, AppArgument)), None)
        taken = {spelling for parameter in self.params for spelling in parameter.opts}
        free = [spelling for spelling in ("-a", "--app") if spelling not in taken]
        if self.app_argument and free:
            self.params.append(click.Option([*free, _APP_OPTION], multiple=True, hidden=True, expose_value=False))

    def get_help_option(self, ctx):
        """Like click's, which loads locale at every start to translate the option's help."""
        names = self.get_help_option_names(ctx)
        if self.help_parameter is None and names:
            self.help_parameter = click.Option(
                [*names, "help_option"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=print_help,
                help="Show this message and exit.",
            )
        return self.help_parameter

    def parse_args(self, ctx, args):
        if any("--wait" in parameter.opts for parameter in self.params):
            from minipaas_lib.journal import locks

            args = [f"--wait={locks.LONGEST}" if word == "--wait" else word for word in args]
        if self.app_argument:
            self._look_for_app(ctx, self.app_argument, list(args))
        return super().parse_args(ctx, args)

    def _look_for_app(self, ctx, argument: AppArgument, args: list[str]) -> None:
        """Note the app of -a, or that none is among the words. Raises errors.UsageError if two are named."""
        if not argument.present and not any(re.match("-[^-]*a|--app", word) for word in args):
            return
        try:
            parsed = self.make_parser(ctx).parse_args(args)[0]
        except click.UsageError:
            if ctx.resilient_parsing:
                return
            raise
        named = list(dict.fromkeys(parsed.get(_APP_OPTION) or ()))
        if len(named) > 1:
            raise errors.UsageError(
                f"two apps are named: {names.safe(named[0])} and {names.safe(named[1])}", "name only one of them"
            )
        if named:
            self._refuse_twice(argument, parsed, named[0])
            ctx.meta[_NAMED] = named[0]
        elif argument.present and not argument.present(parsed):
            ctx.meta[_NAMED] = None

    def _refuse_twice(self, argument: AppArgument, parsed: dict, named: str) -> None:
        if parsed.get("everyone"):
            raise errors.UsageError(f"-a {names.safe(named)} and --global exclude each other", "use one of them")
        # A variadic last argument would take the app as one of its words.
        many = any(
            isinstance(p, click.Argument) and p.nargs == -1 and p.type is not click.UNPROCESSED for p in self.params
        )
        if many and argument.nargs == 1 and parsed.get(argument.name) == named:
            raise errors.UsageError(f"the app {names.safe(named)} is named twice", "leave one of them out")


def print_help(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Print the help: the callback of --help."""
    if value and not ctx.resilient_parsing:
        output.data(ctx.get_help())
        ctx.exit()


def app_in_its_place(ctx: click.Context, args: list[str]) -> list[str]:
    """The words of a command, options first, with the app of -a in its positional place."""
    if not ctx.meta.get(_NAMED):
        return args
    flags: list[str] = []
    words: list[str] = []
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name)
        if isinstance(parameter, click.Argument):
            words += value if isinstance(value, (list, tuple)) else [] if value is None else [value]
        elif value:
            flags.append(parameter.opts[0] if value is True else f"{parameter.opts[0]}={value}")
    return [*flags, *(["--"] if any(word.startswith("-") for word in words) else []), *words]


def command(name: str, **settings):
    """Decorator: a click command of that name, with the options common to all commands."""

    def decorate(function):
        context = SETTINGS | settings.pop("context_settings", {})
        made = click.command(name, cls=Command, context_settings=context, **settings)(function)
        made.params.append(click.Option(["--trace"], is_flag=True, hidden=True, expose_value=False))
        return made

    return decorate


def app_argument(function):
    """The argument `<app>`."""
    return click.argument("app", cls=AppArgument, type=AppName(), metavar="<app>")(function)


def new_app_argument(function):
    """The argument `<app>` of a command for an app that need not exist."""
    return click.argument("app", cls=AppArgument, type=NewAppName(), metavar="<app>")(function)


def optional_app_argument(function):
    """The argument `[<app>]`; None if it is not given, which means all apps."""
    return click.argument("app", cls=AppArgument, every=True, type=AppName(), metavar="[<app>]", required=False)(
        function
    )


def target_argument(help: str):  # as click calls it
    """Decorator: the arguments `<app>|--global`, one of them required; --global is app=None; `help` explains it."""

    def needed(ctx, param, value):
        if value is None and not ctx.meta.get(_GLOBAL) and not ctx.resilient_parsing:
            raise errors.UsageError("neither an app nor --global is given", f"{ctx.info_name} --help")
        return value

    def note(ctx, param, value):
        ctx.meta[_GLOBAL] = value

    def decorate(function):
        app = click.argument(
            "app",
            cls=AppArgument,
            every=True,
            present=lambda parsed: not parsed.get("everyone"),
            callback=needed,
            type=AppName(),
            metavar="<app>|--global",
            required=False,
        )
        everyone = click.option(
            "--global", "everyone", is_flag=True, is_eager=True, expose_value=False, callback=note, help=help
        )
        return everyone(app(function))

    return decorate


_GLOBAL = __name__ + ".global"  # in a context's meta: whether --global was given


def format_option(function):
    """The option --format stdout|json."""
    choice = click.Choice(["stdout", "json"])
    return click.option("--format", "format", type=choice, default="stdout", help="Output format: stdout or json")(
        function
    )


def wait_option(function):
    """The option --wait[=SECONDS]: wait for the app's lock. Sets held.patience."""

    def remember(ctx, param, value):
        from minipaas_lib.journal import held

        if value is not None:
            held.patience = value

    return click.option(
        "--wait",
        type=float,
        expose_value=False,
        callback=remember,
        metavar="[=SECONDS]",
        help="Wait for another command on the app to finish (at most 600 seconds by default)",
    )(function)


def plan_option(function):
    """The option --plan: only print what would be done (see print_plan)."""
    return click.option("--plan", is_flag=True, help="Print step by step what would be done, without doing it")(
        function
    )


def print_plan(preview, format: str = "stdout") -> None:
    """Print the steps of a preview from api.kernel.plan or api.kernel.plan_rollback."""
    if format == "json":
        print_json(preview.to_document())
        return
    output.data(f"=====> What would be done to {preview.app}; nothing is changed now")
    for step in preview.steps():
        output.data("       " + output.tame(step))


def print_json(value) -> None:
    output.exact(output.to_json(value))


def print_list(values: list, format: str = "stdout") -> None:
    """Print one value per line, or a JSON array."""
    if format == "json":
        print_json(values)
    else:
        for value in values:
            output.data(str(value))


def print_table(rows: list[dict], format: str = "stdout") -> None:
    """Print rows with the same keys as aligned columns under a header, or as a JSON array of objects."""
    if format == "json":
        print_json(rows)
        return
    if not rows:
        return
    cells = [[key.upper().replace("_", " ") for key in rows[0]]] + [
        [plain(value) for value in row.values()] for row in rows
    ]
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
    """Print a titled block of `label: value` lines or, with a flag such as `--ps-running`, that one value."""
    if flag:
        output.data(plain(flag_value(rows, flag)))
        return
    output.data(f"=====> {title}")
    for key, value in rows.items():
        output.data(f"       {label(key) + ':':<33} {plain(value)}".rstrip())


def label(key: str) -> str:
    """A key of a report as words; capitals stay, since process types may have them."""
    text = key.replace("-", " ")
    return text[:1].upper() + text[1:]


def flag_value(rows: dict, flag: str):
    """The value of a report for `--key`. Raises errors.UsageError that names the valid keys."""
    key = flag.removeprefix("--")
    if key not in rows:
        raise errors.UsageError(
            f"there is no {names.safe(flag)} in this report", "one of: " + " ".join(f"--{k}" for k in rows)
        )
    return rows[key]


class ReportWord(AppName):
    """A word of a report: `--<key>`, or an app."""

    def convert(self, value, param, ctx):
        return value if value.startswith("--") else super().convert(value, param, ctx)


def report_words(function):
    """The arguments `[<app>] [--<key>]` of a report; see chosen_report. Needs ignore_unknown_options."""
    return click.argument(
        "words", cls=AppArgument, every=True, type=ReportWord(), nargs=-1, metavar="[<app>] [--<key>]"
    )(function)


def chosen_report(words: tuple[str, ...]) -> tuple[str, str]:
    """The app and the flag among the words of a report, each "" if not given. Raises errors.UsageError."""
    flags = [word for word in words if word.startswith("--")]
    chosen = [word for word in words if not word.startswith("--")]
    if len(flags) > 1 or len(chosen) > 1:
        raise errors.UsageError("a report takes one app and one flag at most", f"{caller_command()} --help")
    return "".join(chosen), "".join(flags)


def print_reports(reports: dict[str, dict], app: str, flag: str, title: str, format: str) -> None:
    """Print the reports of several apps by name, or of the one called `app`; with a flag only its value."""
    if format == "json":
        values = {name: flag_value(rows, flag) if flag else rows for name, rows in reports.items()}
        print_json(values[app] if app else values)
        return
    for name, rows in reports.items():
        print_report(f"{name} {title}", rows, flag or None)


def report_command(noun: str, rows, summary: str, everywhere=None):
    """The command `<noun>:report [<app>|--global] [--<key>] [--format json]`.

    `rows` is a function App -> dict; `everywhere` a function () -> dict for --global, if the noun has global settings.
    """
    settings = {"ignore_unknown_options": True}

    @command(
        f"{noun}:report",
        help=f"{summary}\n\n\b\ne.g.: {noun}:report blog\n      {noun}:report blog --format json",
        context_settings=settings,
    )
    @click.option("--global", "everyone", is_flag=True, hidden=everywhere is None, help="Report the global settings")
    @format_option
    @report_words
    def report(everyone, format, words):
        from minipaas_lib.records import apps

        app, flag = chosen_report(words)
        failed: list[str] = []
        if everyone and not everywhere:
            raise errors.UsageError(f"{noun} has no global settings", f"{noun}:report <app>")
        if everyone and app:
            raise errors.UsageError("a report takes an app or --global, not both", f"{noun}:report {app}")
        if everyone:
            app, reports = "--global" if flag else "", {"--global": everywhere()}
        elif app:
            reports = {app: rows(apps.load(app))}
        else:
            reports = apps.of_each(lambda name: rows(apps.load(name)), failed)
        print_reports(reports, app, flag, f"{noun} information", format)
        return 1 if failed else 0

    return report


def confirm(name: str, force: bool) -> None:
    """Ask for the app's name before something that cannot be undone. Raises errors.UsageError if it does not match."""
    if force:
        return
    output.warn(f"this destroys {name} and everything that belongs to it. Type its name to continue:")
    if sys.stdin.buffer.readline(1000).decode("utf-8", "replace").strip() != name:
        raise errors.UsageError(
            "the name typed does not match, nothing was removed", f"{caller_command()} {name} --force"
        )


def read_input(path: str, limit: int) -> str:
    """The text from the file `path`, or from stdin for `-`; `limit` is in bytes.

    Only root on the host may name a file: over ssh it would be a file of the host, not of the client. Raises
    errors.UsageError.
    """
    from minipaas_lib import caller, paths

    if path == "-":
        data = sys.stdin.buffer.read(limit + 1)
    elif caller.key() != "root":
        raise errors.UsageError(
            "over ssh a file cannot be given by its name", f"give - in its place, and the file on stdin: < {path}"
        )
    else:
        try:
            with paths.open_as_caller(path) as file:
                data = file.read(limit + 1)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not the name of a file"
            raise errors.UsageError(
                f"{names.safe(path)} cannot be read: {why}", "give the path of a file, or -"
            ) from None
    where = "stdin" if path == "-" else names.safe(path)
    if len(data) > limit:
        raise errors.UsageError(f"{where} is larger than {limit // 1024} KiB", "shorten it")
    try:
        return data.decode("utf-8-sig")  # some Windows editors write a byte order mark
    except UnicodeDecodeError:
        pass
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise errors.UsageError(
            f"{where} is UTF-16 text, as PowerShell writes it with >", "save it as UTF-8 and send it again"
        )
    raise errors.UsageError(f"{where} is not UTF-8 text", "save it as UTF-8 and send it again") from None


def caller_command() -> str:
    from minipaas_lib import caller

    return caller.command()
