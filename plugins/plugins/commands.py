"""The commands plugin:*."""

import sys

import click

from minipaas_lib import api


def _complete(ctx, param, incomplete):
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in sorted(api.kernel.index.load().installed) if name.startswith(incomplete)]


_plugin = click.argument("name", metavar="<plugin>", shell_complete=_complete)


@api.commands.command("plugin:list")
@api.commands.format_option
def plugin_list(format):
    """List the plugins, built in and installed, and what each is for.

    \b
    e.g.: plugin:list
          plugin:list --format json
    """
    index = api.kernel.index.load()
    rows = {
        name: ("enabled" if name in index.installed else "built in", about) for name, about in index.plugins.items()
    }
    for name in api.kernel.installed.names():
        if name not in rows:
            rows[name] = ("disabled" if not api.kernel.installed.is_enabled(name) else "broken", about_of(name))
    api.commands.print_table(
        [
            {"name": name, "version": about.get("version", ""), "state": state, "summary": about.get("summary", "")}
            for name, (state, about) in sorted(rows.items())
        ],
        format,
    )


def about_of(name: str) -> dict:
    try:
        return api.kernel.manifest.read(api.kernel.installed.folder(name))
    except api.errors.MinipaasError as error:
        return {"summary": error.message}


@api.commands.command("plugin:info")
@api.commands.format_option
@_plugin
def plugin_info(name, format):
    """Show a plugin's version, hooks, commands and, for an installed one, where it came from.

    \b
    e.g.: plugin:info webhook
    """
    from plugins.plugins import admin

    index = api.kernel.index.load()
    if name in index.plugins and name not in index.installed:
        about, more = index.plugins[name], {"state": "built in"}
    else:
        folder = admin.known(name)
        about, record = about_of(name), api.kernel.installed.record(name)
        state = (
            "enabled" if name in index.installed else "broken" if api.kernel.installed.is_enabled(name) else "disabled"
        )
        more = {"state": state, "folder": folder, "data": api.paths.plugin_data(name)}
        more |= {key: record.get(key, "") for key in ("source", "committish", "commit", "digest", "installed")}
    rows = {"name": name, "version": about.get("version", ""), "summary": about.get("summary", "")} | more
    rows |= {"hooks": about.get("hooks", []), "commands": sorted(about.get("commands", {}))}
    if format == "json":
        api.commands.print_json(rows)
    else:
        api.commands.print_report(f"{name} plugin information", rows)


@api.commands.command("plugin:install")
@click.option("--committish", default="", metavar="<ref>", help="The branch, tag or commit to install (default: HEAD)")
@click.option("--name", default="", metavar="<name>", help="Install it under another name")
@click.argument("source", metavar="<git url>|<folder>|<tar>")
def plugin_install(source, committish, name):
    """Install a plugin, and enable it. Only root on the host can: a plugin is code that every command runs.

    The commit is pinned: nothing changes until plugin:update. What cannot be used is refused with nothing changed.

    \b
    e.g.: plugin:install https://example.org/webhook.git
          plugin:install https://example.org/webhook.git --committish v1.2
          plugin:install ./webhook
    """
    from plugins.plugins import admin, host

    host.require_root()
    about = admin.install(source, committish, name)
    told(about, "is installed")
    set_up(about)
    api.output.info(f"to undo this: minipaas plugin:undo {about['name']}")


def told(about: dict, verb: str) -> None:
    """Say what a plugin takes part in."""
    record = api.kernel.installed.record(about["name"])
    pin = record.get("commit") or record.get("digest", "")
    api.output.step(f"plugin {about['name']} {about['version']} ({pin[:12]}) {verb}")
    api.output.info(f"hooks: {' '.join(about.get('hooks', [])) or 'none'}")
    api.output.info(f"commands: {' '.join(sorted(about.get('commands', {}))) or 'none'}")


def set_up(about: dict) -> None:
    """Let the plugin put in place what it needs, as paas; what fails is reported."""
    if "installed" not in about.get("hooks", []):
        return
    from plugins.plugins import host

    if host.run_as_paas(["plugin:trigger", "installed", "--plugin", about["name"]], 600).returncode:
        api.output.warn(f"plugin {about['name']} could not set itself up, for the reason above")


@api.commands.command("plugin:update")
@click.option("--committish", default=None, metavar="<ref>", help="Another branch, tag or commit than so far")
@_plugin
def plugin_update(name, committish):
    """Bring a plugin up to date with where it came from. The version before is kept for plugin:undo.

    \b
    e.g.: plugin:update webhook
          plugin:update webhook --committish v1.3
    """
    from plugins.plugins import admin, host

    host.require_root()
    about, changed = admin.update(name, committish)
    if not changed:
        api.output.step(f"plugin {name} is already up to date")
        return
    told(about, "is in place")
    if api.kernel.installed.is_enabled(name):
        set_up(about)


@api.commands.command("plugin:uninstall")
@_plugin
def plugin_uninstall(name):
    """Remove an installed plugin. Its tables in the apps' documents and its folder of data stay.

    \b
    e.g.: plugin:uninstall webhook
    """
    from plugins.plugins import admin, host

    host.require_root()
    data = admin.uninstall(name)
    api.output.step(f"plugin {name} is uninstalled")
    api.output.info(f"its own files stay in {data}; to undo this: minipaas plugin:undo {name}")


@api.commands.command("plugin:undo")
@_plugin
def plugin_undo(name):
    """Take the last install, update or uninstall of a plugin back; once more, and it is done again.

    \b
    e.g.: plugin:undo webhook
    """
    from plugins.plugins import admin, host

    host.require_root()
    api.output.step(admin.undo(name))


@api.commands.command("plugin:enable")
@_plugin
def plugin_enable(name):
    """Use an installed plugin again.

    \b
    e.g.: plugin:enable webhook
    """
    from plugins.plugins import admin, host

    host.require_root()
    changed = admin.set_enabled(name, True)
    api.output.step(f"plugin {name} is enabled{'' if changed else ' already'}")
    if changed:
        set_up(about_of(name))


@api.commands.command("plugin:disable")
@_plugin
def plugin_disable(name):
    """Use an installed plugin no more, and keep it. This needs nothing of the plugin, however broken it is.

    \b
    e.g.: plugin:disable webhook
    """
    from plugins.plugins import admin, host

    host.require_root()
    changed = admin.set_enabled(name, False)
    api.output.step(f"plugin {name} is disabled{'' if changed else ' already'}")


@api.commands.command("plugin:new")
@click.option("--lang", type=click.Choice(["python", "sh"]), default="python", help="What it is written in")
@_plugin
def plugin_new(name, lang):
    """Begin a plugin of your own in a new folder here: a working skeleton with a test.

    \b
    e.g.: plugin:new webhook
          plugin:new webhook --lang sh
    """
    from plugins.plugins import skeleton

    folder = skeleton.make(name, lang)
    api.output.step(f"Created {folder}")
    api.output.info(f"to test it: minipaas plugin:test {folder}")


@api.commands.command("plugin:test")
@click.option(
    "--limit", type=click.FloatRange(1, 3600), default=30.0, metavar="<seconds>", help="For each step (default: 30)"
)
@api.commands.format_option
@click.argument("source", metavar="<folder>|<tar>")
def plugin_test(source, limit, format):
    """Try a plugin: call every hook it claims with sample arguments, each in a process and a world of its own.

    Nothing of this host is touched. Builders are tried with the folder `sample` of the plugin, if it has one.

    \b
    e.g.: plugin:test ./webhook
    """
    from plugins.plugins import host, kit

    def say(ok, what, said):
        if format == "stdout":
            api.output.data(f"{'ok  ' if ok else 'FAIL'}  {what}{': ' + said if said else ''}")

    run = kit.Kit(limit, say)
    try:
        fetched = run.fetch(source)
        host.drop()
        if fetched:
            run.run()
    finally:
        run.remove()
    if format == "json":
        api.commands.print_json([{"ok": ok, "what": what, "said": said} for ok, what, said in run.results])
    return 0 if run.passed else 1


@api.commands.command("plugin:trigger")
@click.option("--plugin", default="", metavar="<plugin>", help="Call only this plugin")
@click.option("--app", "app", type=api.commands.AppName(), default=None, metavar="<app>", help="The app it is about")
@click.argument("hook", metavar="<hook>")
@click.argument("words", nargs=-1, metavar="[<argument>=<value> ...]")
def plugin_trigger(hook, words, plugin, app):
    """Call a hook by hand, as on the host only root can, and print the answers as JSON.

    A release is the app's live one, `previous` the one before it. A value is JSON, or else text.

    \b
    e.g.: plugin:trigger after_deploy --app blog
          plugin:trigger config_changed --app blog --plugin webhook 'names=["COLOUR"]'
    """
    from plugins.plugins import trigger

    trigger.run(hook, plugin, app, words)


@api.commands.command("plugin:state")
@click.argument("action", type=click.Choice(["get", "set", "unset"]), metavar="get|set|unset")
@click.argument("key", required=False, metavar="[<key>]")
@click.option(
    "--app", "app", type=api.commands.AppName(), default=None, metavar="<app>", help="The app; without, the platform"
)
def plugin_state(action, key, app):
    """Read or change the plugin's own table. Only a plugin's program can use it; `set` takes the value on stdin.

    \b
    e.g.: printf %s https://example.org | $MINIPAAS_PROGRAM plugin:state set url --app blog
          $MINIPAAS_PROGRAM plugin:state get url --app blog
    """
    from plugins.plugins import trigger

    return trigger.state(action, key, app)


@api.commands.command("plugin:index")
def plugin_index():
    """Rewrite the index of installed plugins, as install.sh does: for this program and this Python."""
    from plugins.plugins import host

    host.require_root()
    with host.folder():
        api.kernel.reindex()


@api.commands.command("plugin:inspect")
@click.argument("folder")
def plugin_inspect(folder):
    """Print what is wrong with a plugin's modules, as a JSON list."""
    import json
    import os

    from plugins.plugins import kit

    answer = os.dup(1)
    os.dup2(2, 1)  # what the modules print when they are imported is not the answer
    found = kit.inspect(folder)
    sys.stdout.flush()
    os.write(answer, json.dumps(found).encode())


@api.commands.command("plugin:try")
@click.option("--context", default="")
@click.option("--case", "number", type=int, default=0)
@click.option("--count", is_flag=True)
@click.option("--app", default="sample")
@click.option("--image", default="")
@click.argument("plugin")
@click.argument("hook")
def plugin_try(plugin, hook, context, number, count, app, image):
    """Call one hook with sample arguments and print what became of it, as JSON."""
    import json
    import os

    from plugins.plugins import kit, samples

    kit.prepare_world()
    answer = os.dup(1)
    os.dup2(2, 1)
    if count:
        result = {"count": len(samples.cases(hook, context))}
    elif hook == "deploy":
        result = kit.try_deploy(app, image)
    elif hook == "build":
        result = kit.try_build(plugin, context)
    else:
        result = kit.try_hook(plugin, hook, context, number)
    sys.stdout.flush()
    os.write(answer, json.dumps(result).encode() + b"\n")
