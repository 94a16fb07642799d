"""The command line: find the command in the index, load only its plugin, run it, and report errors."""

import importlib
import os
import re
import sys

from minipaas_lib import caller, errors, output, words
from minipaas_lib.bus import index

HELP_FLAGS = ("--help", "-h")


def run(argv: list[str]) -> int:
    """Run one command line and return its exit status."""
    return guard(lambda: dispatch(*parse(argv)))


def parse(argv: list[str]) -> tuple[str, list[str]]:
    """The command and arguments of a command line, with all ways to ask for help mapped to one."""
    commands = index.load().commands
    name, *arguments = words.command_first(argv) or ["--help"]
    if name == "--version":
        return index.command_for("version"), arguments
    if name in HELP_FLAGS:
        name = index.command_for("help")
    elif name.endswith(":help"):
        name, arguments = index.command_for("help"), [name.removesuffix(":help"), *arguments]
    elif name not in commands and is_noun(name):
        return noun_command(name, arguments)
    if len(arguments) == 1 and arguments[0] in commands and not is_noun(arguments[0]):
        if name == index.command_for("help"):
            return arguments[0], ["--help"]
    return name, arguments


def noun_command(noun: str, arguments: list[str]) -> tuple[str, list[str]]:
    """The command for a noun without a verb: alone its help, with an app its report or list.

    Raises errors.UsageError if it is neither.
    """
    overview = index.command_for("help")
    if not arguments or arguments[0] in (overview, *HELP_FLAGS):
        return overview, [noun, *arguments[1:]]
    import shlex

    from minipaas_lib import names, well_known

    first, commands = arguments[0], index.load().commands
    typed = f"{noun} {names.safe(first)[1:-1]}"
    if f"{noun} {first}" in well_known.AT_HOME:
        raise errors.UsageError(
            f"{typed} is typed on your own machine, not over ssh", "git push paas@<host>:<app> main"
        )
    if f"{noun}:{first}" in commands:
        line = shlex.join([f"{noun}:{first}", *arguments[1:]])
        hint = line if line.isprintable() else f"help {noun}:{first}"
        raise errors.UsageError(f"{typed} is one word, with a colon", hint)
    if f"{noun}:{first}" in well_known.WORDS:
        raise well_known.error(f"{noun}:{first}", list(commands))
    for name in (f"{noun}:{verb}" for verb in ("report", "show", "list", "info")):
        if name in commands and takes_words(name):
            return name, arguments
    raise errors.UsageError(f"there is no command {typed}", f"help {noun}")


def takes_words(name: str) -> bool:
    """Whether a command has arguments."""
    return any(
        parameter.param_type_name == "argument" for parameter in load(name, index.load().commands[name].plugin).params
    )


def is_noun(word: str) -> bool:
    """Whether there are commands `<word>:<verb>`, not counting hidden ones."""
    return any(command.startswith(word + ":") for command, entry in index.load().commands.items() if not entry.hidden)


def dispatch(name: str, arguments: list[str]) -> int:
    """Load and run the command `name`."""
    entry = index.load().commands.get(name)
    if entry is None:
        raise unknown(name)
    if entry.host and caller.key() != "root":
        raise errors.Denied(
            f"{name} works only on the host itself, not over ssh", f"on the host, as root: minipaas {name}"
        )
    if not entry.stateless:
        from minipaas_lib.store import open_store, schema

        schema.check(open_store())
    command = load(name, entry.plugin)
    caller.set_command(name)
    return invoke(command, name, arguments, entry.plugin in index.load().installed)


def invoke(command, name: str, arguments: list[str], foreign: bool) -> int:
    """Parse the arguments, let plugins refuse the command on each app that it names, and run it.

    In a `foreign` command, whose author may not have marked its app arguments, every word that is an app's name counts.
    """
    import click

    from minipaas_lib import commands

    with command.make_context(name, list(arguments)) as ctx:
        if foreign:
            ask_for_words(ctx, arguments)
        commands.ask_for_the_rest(ctx)
        try:
            result = command.invoke(ctx)
        except EOFError:
            raise click.Abort from None
    return result if isinstance(result, int) else 0


def ask_for_words(ctx, arguments: list[str]) -> None:
    """Let plugins refuse a command on all apps named in its words, also in --to=blog, -tblog and blog,shop."""
    from minipaas_lib import commands
    from minipaas_lib.bus import authority

    if not authority.is_asked(ctx.info_name):
        return
    from minipaas_lib.records import apps

    pieces = {piece for word in arguments for piece in (word[2:], *re.split("[=,:@/ ]", word))}
    for name in apps.names():
        if name in pieces:
            commands.ask(ctx, name)


def load(name: str, plugin: str):
    """The click command `name` of a plugin; `apps:create` is `apps_create` in its commands.py."""
    manifest = index.load().installed.get(plugin)
    if manifest is not None:
        from minipaas_lib import plugin_commands

        return plugin_commands.load(name, plugin, manifest)
    module = importlib.import_module(f"plugins.{plugin}.commands")
    return getattr(module, name.replace(":", "_").replace("-", "_"))


def unknown(name: str) -> errors.UsageError:
    """The error for a command that does not exist, with an alternative."""
    from minipaas_lib import well_known

    if is_app(name):  # ssh itself interprets an -a before the command
        return errors.UsageError(f"{name} is an app, not a command; the command comes first", f"report {name}")
    return well_known.error(name, [command for command, entry in index.load().commands.items() if not entry.hidden])


def is_app(name: str) -> bool:
    """Whether it is the name of an app that the caller may see."""
    from minipaas_lib import names
    from minipaas_lib.bus import authority
    from minipaas_lib.records import apps

    try:
        return (
            bool(re.fullmatch(names.APP_NAME, name))
            and apps.exists(name)
            and authority.allows(index.command_for("report"), name)
        )
    except (errors.MinipaasError, OSError):
        return False


def guard(function) -> int:
    """Run a function and turn exceptions into a message and an exit status, with a traceback only for --trace."""
    try:
        return function()
    except errors.MinipaasError as error:
        return fail(error.message, error.hint, error.exit_code)
    except KeyboardInterrupt:
        return fail("interrupted", code=130)
    except BrokenPipeError:
        # The reader has gone; keep the interpreter from failing on the same pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return guard_click(error)


def guard_click(error: Exception) -> int:
    """Like guard, for click's exceptions and for bugs."""
    import click

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.Abort):
        return fail("aborted", code=1)
    if isinstance(error, click.UsageError):
        hint = "help"
        if error.ctx and (usage := error.ctx.get_usage().removeprefix("Usage: ")):
            hint = f"usage: {usage}; for more: {error.ctx.command_path} --help"
        return fail(error.format_message().rstrip("."), hint, 2)
    if isinstance(error, click.ClickException):
        return fail(error.format_message(), code=error.exit_code)
    if traced():
        raise error
    if isinstance(error, OSError):
        return fail(
            f"{error.strerror or error}: {error.filename or 'the system'}",
            "look for a full disk or a wrong owner: doctor",
        )
    notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
    return fail(
        f"minipaas itself failed: {type(error).__name__}: {error}{notes}",
        "repeat the command with --trace, and report what it prints",
    )


def traced() -> bool:
    return "--trace" in sys.argv or bool(os.environ.get("MINIPAAS_TRACE"))


def fail(message: str, hint: str = "", code: int = 1) -> int:
    """Print an error and its hint to stderr; return the exit status."""
    if traced() and sys.exc_info()[0]:
        import traceback

        traceback.print_exc()
    try:
        output.warn(message)
        if hint:
            output.hint(hint)
    except (BrokenPipeError, ValueError):
        pass
    return code
