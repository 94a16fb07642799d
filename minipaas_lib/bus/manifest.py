"""plugin.toml of a third-party plugin: read and validate it before anything of the plugin runs."""

import difflib
import os
import re
import stat
import tomllib

from minipaas_lib import errors, names
from minipaas_lib.bus import catalog, values

NAME = "[a-z][a-z0-9_]{0,39}"
COMMAND = "[a-z][a-z0-9-]{0,39}(:[a-z][a-z0-9-]{0,39})?"
RESERVED = frozenset(
    {  # the kernel's keys of app.toml and platform.toml, and words of the command line
        "config",
        "formation",
        "created",
        "creator",
        "locked",
        "stopped",
        "schema",
        "plugins",
        "plugin",
        "minipaas",
        "paas",
        "install",
        "index",
        "global",
    }
)
RESERVED_COMMANDS = frozenset({"install", "git-receive-pack", "git-upload-pack"})
KEYS = ("api", "name", "version", "summary", "hooks", "commands", "timeout", "tryfirst", "trylast")
COMMAND_KEYS = ("help", "hidden", "stateless", "host", "gevent", "arguments", "options", "values", "example")
SIZE_LIMIT = 64 * 1024  # bytes
TIMEOUT_LIMIT = 24 * 3600  # seconds
_ARGUMENT = r"<[a-z][a-z0-9-]*>|\[<[a-z][a-z0-9-]*>\]|<[a-z][a-z0-9-]*>\.\.\.|\[<[a-z][a-z0-9-]*>\.\.\.\]"
_OPTION = "--[a-z][a-z0-9-]*(=<[a-z][a-z0-9-]*>)?"


def read(folder: str) -> dict:
    """A plugin's entry for the index: plugin.toml plus `executables`, its hooks and commands that are programs.

    Raises errors.InvalidFile about the first thing that is wrong.
    """
    manifest = _parse(folder)
    _check_api(manifest)
    name = manifest.get("name")
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise _bad(f"name must be a-z, 0-9 and _, a letter first, not {names.safe(repr(name))}")
    own = catalog.build(catalog.own())
    if name in own.plugins or name in RESERVED:
        raise _bad(f"the name {name} is taken by minipaas itself", "give it another, with --name too")
    for key in manifest:
        if key not in KEYS:
            raise _bad(f"the key {names.safe(key)} is unknown" + _near(key, KEYS))
    for key in ("version", "summary"):
        text = manifest.get(key)
        if not isinstance(text, str) or not text or len(text) > 200 or not text.isprintable():
            raise _bad(f"{key} must be one line of text")
    executables = {"hooks": _check_hooks(folder, manifest), "commands": _check_commands(folder, manifest, own)}
    _check_timeout(manifest)
    order = {key: manifest.get(key, []) for key in ("tryfirst", "trylast")}
    for key, chosen in order.items():
        if not isinstance(chosen, list):
            raise _bad(f"{key} must be a list of hooks")
        for hook in chosen:
            if hook not in executables["hooks"]:
                raise _bad(
                    f"{key} names {names.safe(str(hook))}, which is not a program in hooks/ (in Python: "
                    f"@api.hookimpl({key}=True))"
                )
    kept = {key: manifest[key] for key in KEYS if key in manifest and key not in order}
    return kept | {"executables": executables, "order": order}


def hook_names() -> list[str]:
    """The names of all hooks, sorted."""
    from minipaas_lib.bus import hookspecs

    return sorted(name for name, value in vars(hookspecs).items() if hasattr(value, "minipaas_spec"))


def hook_arguments(hook: str) -> tuple[str, ...]:
    """The names of a hook's arguments."""
    from minipaas_lib.bus import hookspecs

    code = getattr(hookspecs, hook).__code__
    return code.co_varnames[: code.co_argcount]


def _bad(message: str, hint: str = "correct plugin.toml (see docs/plugins.md)") -> errors.InvalidFile:
    return errors.InvalidFile(f"plugin.toml: {message}", hint)


def _near(word: str, known) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _parse(folder: str) -> dict:
    path = os.path.join(folder, "plugin.toml")
    try:
        with open(path, "rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise errors.InvalidFile(
            f"there is no plugin.toml: {error.strerror}", "see docs/plugins.md, or start from: plugin:new <name>"
        ) from None
    if len(data) > SIZE_LIMIT:
        raise _bad(f"it holds more than {SIZE_LIMIT // 1024} KiB")
    try:
        return tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _bad(f"it cannot be read: {names.safe(str(error))[1:-1]}") from None


def _check_api(manifest: dict) -> None:
    api = manifest.get("api")
    if type(api) is not int or api < 1:
        raise _bad(f"it does not say which plugin API it is for; write: api = {catalog.API}")
    if api > catalog.API:
        raise _bad(
            f"it is for plugin API {api}, and this minipaas has {catalog.API}",
            "upgrade minipaas, or use an older version of the plugin",
        )


def _check_hooks(folder: str, manifest: dict) -> list[str]:
    """The hooks that are programs."""
    hooks, known, programs = manifest.get("hooks", []), hook_names(), []
    if not isinstance(hooks, list) or not all(isinstance(hook, str) for hook in hooks):
        raise _bad('hooks must be a list of names, as ["after_deploy"]')
    if len(set(hooks)) != len(hooks):
        raise _bad("hooks lists one of them twice")
    for hook in hooks:
        if hook not in known:
            raise _bad(f"there is no hook {names.safe(hook)}" + _near(hook, known), "see docs/hooks.md")
        if _program(folder, "hooks", hook):
            if hook in values.ENGINES:
                raise _bad(f"the hook {hook} returns an object, which a program cannot do: write it in Python")
            programs.append(hook)
        elif not os.path.isfile(os.path.join(folder, "hooks.py")):
            raise _bad(
                f"it has the hook {hook}, but there is neither hooks/{hook} nor hooks.py",
                f"write hooks/{hook}, and: chmod +x hooks/{hook}",
            )
    for program in _listed(os.path.join(folder, "hooks")):
        if program in known and program not in hooks:
            raise _bad(f"there is hooks/{program}, but hooks does not name {program}")
    return programs


def _check_commands(folder: str, manifest: dict, own: catalog.Index) -> list[str]:
    """The commands that are programs."""
    commands, programs = manifest.get("commands", {}), []
    if not isinstance(commands, dict):
        raise _bad("[commands] must be a table, command -> one line of help")
    nouns = {command.partition(":")[0] for command in own.commands}
    for command, entry in commands.items():
        if not re.fullmatch(COMMAND, command):
            raise _bad(f"{names.safe(command)} cannot be a command; write it as noun:verb")
        if command in own.commands or command in RESERVED_COMMANDS or command in nouns:
            raise _bad(f"the command {command} belongs to minipaas", "give it another name")
        program = _program(folder, "commands", command)
        if not program and not os.path.isfile(os.path.join(folder, "commands.py")):
            raise _bad(f"it has the command {command}, but there is neither commands/{command} nor commands.py")
        _check_entry(command, {"help": entry} if isinstance(entry, str) else entry, program)
        if program:
            programs.append(command)
    return programs


def _check_entry(command: str, entry, program: bool) -> None:
    if not isinstance(entry, dict):
        raise _bad(f"{command} must be a line of help or a table")
    for key in entry:
        if key not in COMMAND_KEYS:
            raise _bad(f"{command} has the unknown key {names.safe(key)}" + _near(key, COMMAND_KEYS))
    line = entry.get("help")
    if not isinstance(line, str) or not line or len(line) > 200 or not line.isprintable():
        raise _bad(f"the help of {command} must be one line of text")
    if any(key in entry for key in ("arguments", "options", "values", "example")) and not program:
        raise _bad(f"{command} is in commands.py: its arguments and options are said there")
    arguments, options = entry.get("arguments", []), entry.get("options", {})
    if not isinstance(arguments, list) or not all(isinstance(a, str) and re.fullmatch(_ARGUMENT, a) for a in arguments):
        raise _bad(f'the arguments of {command} must be as ["<app>", "[<name>]", "<value>..."]')
    if not isinstance(options, dict) or not all(
        re.fullmatch(_OPTION, o) and isinstance(t, str) for o, t in options.items()
    ):
        raise _bad(
            f'the options of {command} must be as {{ "--force" = "Do not ask", "--colour=<name>" = "Which colour" }}'
        )
    for key in ("hidden", "stateless", "host"):
        if not isinstance(entry.get(key, False), bool):
            raise _bad(f"{key} of {command} must be true or false")
    gevent = entry.get("gevent", [])
    if not isinstance(gevent, list) or not all(isinstance(word, str) for word in gevent) or (gevent and program):
        raise _bad(f'gevent of {command} must be as ["--follow"], and the command in commands.py')
    _check_values(command, entry.get("values", {}), "".join([*arguments, *options]))
    if not isinstance(entry.get("example", ""), str):
        raise _bad(f"the example of {command} must be text")


def _check_values(command: str, values, spelled: str) -> None:
    """Check the completions of arguments and options, by their names in `<>`; `spelled` is all of those."""
    lists = list(values.values()) if isinstance(values, dict) else [None]
    if not all(
        isinstance(choices, list) and all(isinstance(v, str) and v.isprintable() for v in choices) for choices in lists
    ):
        raise _bad(f'the values of {command} must be as {{ colour = ["red", "blue"] }}')
    for name in values:
        if f"<{name}>" not in spelled:
            raise _bad(f"the values of {command} name {names.safe(name)}, which is not one of its arguments or options")


def _check_timeout(manifest: dict) -> None:
    timeout = manifest.get("timeout", 60)
    table = timeout if isinstance(timeout, dict) else {"default": timeout}
    for hook, seconds in table.items():
        if hook != "default" and hook not in manifest.get("hooks", []):
            raise _bad(f"timeout names {names.safe(hook)}, which is not among its hooks")
        if type(seconds) not in (int, float) or not 0 < seconds <= TIMEOUT_LIMIT:
            raise _bad(f"timeout must be seconds, from 1 to {TIMEOUT_LIMIT}")


def _program(folder: str, folder_name: str, name: str) -> bool:
    """Whether there is a program for a hook or command. Raises errors.InvalidFile if it exists but cannot be run."""
    path = os.path.join(folder, folder_name, name)
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o100:
        raise _bad(f"{folder_name}/{name} cannot be run", f"chmod +x {folder_name}/{name}")
    return True


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
