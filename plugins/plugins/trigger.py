"""Hooks called by hand, and the table of a plugin's programs."""

import json
import os
import sys

from minipaas_lib import api

VALUE_LIMIT = 64 * 1024  # bytes


def run(hook: str, plugin: str, app: str | None, words: tuple[str, ...]) -> None:
    """Call a hook and print the answers. Raises errors.UsageError for arguments that the hook has not."""
    if hook not in api.kernel.manifest.hook_names():
        raise api.errors.UsageError(f"there is no hook {api.names.safe(hook)}", "see docs/hooks.md")
    if plugin and plugin not in api.kernel.index.load().plugins:
        raise api.errors.NotFound(f"no plugin {api.names.safe(plugin)} is enabled", "plugin:list")
    wanted = api.kernel.manifest.hook_arguments(hook)
    arguments = dict.fromkeys(wanted) | known(app, wanted) | given(words, wanted, hook)
    if lacks(arguments, hook):
        raise api.errors.UsageError(
            f"{hook} needs an app with a live release" if app else f"{hook} needs an app",
            f"plugin:trigger {hook} --app <app>",
        )
    plugins = [plugin] if plugin else api.kernel.index.load().hooks.get(hook, [])
    answers = {}
    for name in plugins:
        answer = api.call_one(hook, name, **arguments)
        if answer is not None:
            answers[name] = api.kernel.values.to_json(answer) if plain(answer) else repr(answer)
    api.commands.print_json(answers)


def lacks(arguments: dict, hook: str) -> bool:
    """Whether the hook would be called without what it is about."""
    whole = hook in ("before_config", "config_changed", "doctor")  # no app: the global config, the host itself
    return any(
        name in arguments and arguments[name] is None for name in (("release",) if whole else ("app", "release"))
    )


def plain(answer) -> bool:
    return hasattr(answer, "__dataclass_fields__") or isinstance(answer, (dict, list, tuple, str, int, float, bool))


def known(app: str | None, wanted: tuple[str, ...]) -> dict:
    """The arguments that an app has by itself."""
    if app is None:
        return {}
    found: dict = {"app": app if "key" in wanted else api.app(app)}
    live = api.live_release(app)
    if live:
        earlier = [release for release in api.releases(app) if release.number < live.number]
        found |= {
            "release": live,
            "commit": live.commit,
            "previous": max(earlier, key=lambda r: r.number, default=None),
        }
    return {name: value for name, value in found.items() if name in wanted}


def given(words: tuple[str, ...], wanted: tuple[str, ...], hook: str) -> dict:
    """What was typed as argument=value."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in wanted:
            raise api.errors.UsageError(
                f"{hook} has no argument {api.names.safe(name)}", f"{hook}({', '.join(wanted)})"
            )
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            found[name] = value
    return found


def state(action: str, key: str | None, app: str | None) -> int | None:
    """What `plugin:state` does; 1 if there is no such key."""
    plugin = os.environ.get("MINIPAAS_PLUGIN", "")
    if not plugin or not os.environ.get("MINIPAAS_PLUGIN_DATA"):
        raise api.errors.Denied("plugin:state is only for the programs of a plugin", "see docs/plugins.md")
    table = api.plugin_table(plugin, app)
    if key is None:
        if action != "get":
            raise api.errors.UsageError(f"plugin:state {action} needs a key", f"plugin:state {action} <key>")
        api.commands.print_json(table.read())
        return None
    if action == "get":
        value = table.read().get(key)
        if value is None:
            return 1
        api.output.data(value if isinstance(value, str) else json.dumps(value, default=str))
    elif action == "set":
        data = sys.stdin.buffer.read(VALUE_LIMIT + 1)
        if len(data) > VALUE_LIMIT:
            raise api.errors.UsageError(
                f"a value has at most {VALUE_LIMIT // 1024} KiB", "keep it in MINIPAAS_PLUGIN_DATA"
            )
        try:
            table.set(**{key: data.decode()})
        except UnicodeDecodeError:
            raise api.errors.UsageError("a value must be UTF-8 text", "keep it in MINIPAAS_PLUGIN_DATA") from None
    else:
        table.unset(key)
    return None
