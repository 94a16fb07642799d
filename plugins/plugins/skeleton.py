"""The files a plugin begins with."""

import os
import re

from minipaas_lib import api

_TOML = """api = 1
name = "{name}"
version = "0.1"
summary = "Say hello after every release"
hooks = ["after_deploy", "report"]
{more}
[commands]
{command}
"""
_HOOKS = '''"""What {name} does when something happens. All hooks: docs/hooks.md."""

from minipaas_lib import api


@api.hookimpl
def after_deploy(app, release):
    greeting = api.plugin_table("{name}", app.name).read().get("greeting", "hello")
    api.output.info(f"{{greeting}} from {{release.name}} of {{app.name}}")


@api.hookimpl
def report(app):
    return {{"{dashed}-greeting": app.table("{name}").get("greeting", "hello")}}
'''
_COMMANDS = '''"""The commands of {name}."""

import click

from minipaas_lib import api


@api.commands.command("{dashed}:set")
@api.commands.app_argument
@click.argument("greeting")
def {function}_set(app, greeting):
    """Set the words that releases of an app are greeted with.

    \\b
    e.g.: {dashed}:set blog "good morning"
    """
    api.plugin_table("{name}", app).set(greeting=greeting)
    api.output.step(f"releases of {{app}} are greeted with {{greeting}}")
'''
_SH_COMMAND = """#!/bin/sh
# {dashed}:set <app> <greeting>
set -eu
printf %s "$2" | "$MINIPAAS_PROGRAM" plugin:state set greeting --app "$1"
echo "releases of $1 are greeted with $2" >&2
"""
_SH_AFTER_DEPLOY = """#!/bin/sh
# A release is live: its arguments come as JSON on stdin, the app and its number in the environment.
set -eu
greeting=$("$MINIPAAS_PROGRAM" plugin:state get greeting --app "$MINIPAAS_APP") || greeting=hello
echo "$greeting from v$MINIPAAS_RELEASE of $MINIPAAS_APP"
"""
_SH_REPORT = """#!/bin/sh
# The answer is JSON on stdout.
set -eu
if "$MINIPAAS_PROGRAM" plugin:state get greeting --app "$MINIPAAS_APP" >/dev/null; then said=true; else said=false; fi
printf '{{"{dashed}-own-greeting": %s}}\\n' "$said"
"""
_TEST = """#!/bin/sh
# Run the plugin against every hook it claims, in a world of its own: ./test
cd "$(dirname "$0")" && exec minipaas plugin:test .
"""


def make(name: str, language: str) -> str:
    """Write the skeleton of a plugin into the new folder `name` here. Raises errors.UsageError."""
    if (
        not re.fullmatch(api.kernel.manifest.NAME, name)
        or name in api.kernel.manifest.RESERVED
        or name in api.kernel.catalog.own()
    ):
        raise api.errors.UsageError(
            f"{api.names.safe(name)} cannot be a plugin's name",
            "use a-z, 0-9 and _, a letter first, and no name that is taken; those are: plugin:list",
        )
    folder = os.path.abspath(name)
    values = {"name": name, "dashed": name.replace("_", "-"), "function": name}
    line = "Set the words that releases of an app are greeted with"
    try:
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        for path, (text, executable) in files(language, values, line).items():
            place = os.path.join(folder, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(os.path.dirname(place), 0o755)
            os.chmod(place, 0o755 if executable else 0o644)
    except OSError as error:
        raise api.errors.UsageError(
            f"{folder} cannot be made: {error.strerror}",
            "change to a folder that you can write to, or give another name",
        ) from None
    return folder


def files(language: str, values: dict, line: str) -> dict[str, tuple[str, bool]]:
    """Path -> (content, whether it is a program)."""
    dashed = values["dashed"]
    if language == "python":
        command, more = f'"{dashed}:set" = "{line}"', ""
        made = {
            "__init__.py": ("", False),
            "hooks.py": (_HOOKS.format(**values), False),
            "commands.py": (_COMMANDS.format(**values), False),
        }
    else:
        command = (
            f'"{dashed}:set" = {{ help = "{line}", arguments = ["<app>", "<greeting>"], '
            f'example = "{dashed}:set blog hello" }}'
        )
        more = "timeout = 20  # seconds for each hook\n"
        made = {
            "hooks/after_deploy": (_SH_AFTER_DEPLOY.format(**values), True),
            "hooks/report": (_SH_REPORT.format(**values), True),
            f"commands/{dashed}:set": (_SH_COMMAND.format(**values), True),
        }
    toml = _TOML.format(command=command, more=more, **values)
    return {"plugin.toml": (toml, False), "test": (_TEST, True), **made}
