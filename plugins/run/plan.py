"""What container a one-off command gets. Pure."""

import dataclasses
import re

from minipaas_lib import api


def process_type(words: tuple[str, ...], commands: dict[str, str]) -> str:
    """The process type whose limits and mounts a run gets: the one it names, else web, else the first there is."""
    if len(words) == 1 and words[0] in commands:
        return words[0]
    return "web" if "web" in commands else next(iter(commands), "web")


def command_of(words: tuple[str, ...]) -> tuple[str, ...]:
    """The command that is run: a -- between the app and it is none of its words. Raises errors.UsageError for none."""
    command = words[1:] if words[:1] == ("--",) else words
    if not command:
        raise api.errors.UsageError("no command is given after --", f"{api.caller.command()} <app> <command>")
    return command


def app_among(words: tuple[str, ...]) -> str | None:
    """The app in `run <command> ... -a <app>`, as Heroku's users type it; None if there is none."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        name = following if word in ("-a", "--app") else word.partition("--app=")[2]
        if re.fullmatch(api.names.APP_NAME, name):
            return name
    return None


def one_off(
    spec: "api.ContainerSpec", commands: dict[str, str], words: tuple[str, ...], extra: dict[str, str]
) -> "api.ContainerSpec":
    """The spec of a process of the app, turned into that of a one-off run of `words`.

    `commands` are the app's by process type. One word that names a process type runs that type's command; one word
    with blanks in it is a line for /bin/sh; all else goes to the image as it is, word by word.
    """
    command: str | tuple[str, ...] = words
    if len(words) == 1 and (words[0] in commands or any(blank in words[0] for blank in " \t\n")):
        command = commands.get(words[0], words[0])
    return dataclasses.replace(
        spec,
        name=f"{spec.app}_v{spec.release}.run.1",
        process_type="run",
        command=command,
        environment=spec.environment | extra,
        port=0,
    )


def environment(pairs: tuple[str, ...]) -> dict[str, str]:
    """The variables of `-e NAME=VALUE` options. Raises errors.UsageError."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise api.errors.UsageError(f"-e {api.names.safe(name)} has no value", "write it as: -e NAME=value")
        found[api.names.settable_config_name(name)] = api.names.config_value(name, value)
    return found
