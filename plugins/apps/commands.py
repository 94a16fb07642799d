"""The commands apps:*."""

import click

from minipaas_lib import api

_MESSAGE_LIMIT = 200  # characters


@api.commands.command("apps:create")
@api.commands.new_app_argument
def apps_create(app):
    """Create an app.

    The first git push of a branch that deploys to a new name creates the app too, unless
    apps:set --global create-on-push false is set.

    \b
    e.g.: apps:create blog
    """
    api.kernel.create_app(app)
    api.output.step(f"Created {app}")
    api.output.hint(f"git remote add paas paas@<host>:{app}")
    api.output.info("git push paas main")


@api.commands.command("apps:list")
@api.commands.format_option
def apps_list(format):
    """List all apps.

    \b
    e.g.: apps:list
          apps:list --format json
    """
    found = api.app_names()
    api.commands.print_list(found, format)
    if not found and format == "stdout":
        api.output.info("there are no apps yet; to create one: apps:create blog")


@api.commands.command("apps:destroy")
@click.option("--force", "-f", is_flag=True, help="Do not ask for the name")
@click.option("--now", is_flag=True, help="Remove it for good, from the trash too")
@api.commands.wait_option
@api.commands.app_argument
def apps_destroy(app, force, now):
    """Stop an app and put it into the trash, for seven days.

    apps:restore brings it back; until then its name and domains are free for other apps. With --now it is removed for
    good with all its data, which cannot be undone. Its name is asked for on stdin, unless --force is given.

    \b
    e.g.: apps:destroy blog
          apps:destroy blog --now --force
    """
    trashed = api.kernel.trashed.entries_of(app) if now else []
    if app in api.app_names() or not trashed:
        api.app(app)
        api.commands.confirm(app, force)
        identity = api.kernel.destroy_app(app, now)
    else:
        api.commands.confirm(app, force)
    for former in trashed:
        api.kernel.trash.purge(former)
    api.output.step(f"Destroyed {app}")
    if not now:
        again = app if api.kernel.trashed.entries_of(app)[-1:] == [identity] else identity
        api.output.info(f"to bring it back, within seven days: apps:restore {again}")


@api.commands.command("apps:rename")
@click.option("--skip-deploy", is_flag=True, help="Stop it, and start nothing under the new name")
@api.commands.wait_option
@click.argument("old", cls=api.commands.AppArgument, type=api.commands.AppName(), metavar="<old>")
@click.argument("new", type=api.commands.NewAppName(), metavar="<new>")
def apps_rename(old, new, skip_deploy):
    """Give an app another name. It serves all the while.

    New processes start under the new name next to the old ones, as a release; then requests move and the old ones are
    retired. Config, domains, settings, releases and the repository are kept. A push to the old name is told the new
    one. With --skip-deploy the app is stopped until ps:start.

    \b
    e.g.: apps:rename blog journal
    """
    renamed = api.kernel.rename_app(old, new, deploy=not skip_deploy)
    api.output.hint(f"git remote set-url paas paas@<host>:{new}")
    if renamed.stopped:
        api.output.info(f"to start it: ps:start {new}")


@api.commands.command("apps:clone")
@click.option("--skip-deploy", is_flag=True, help="Make the app, and start nothing")
@click.option("--ignore-existing", is_flag=True, help="Do nothing where there is an app of the new name already")
@api.commands.wait_option
@click.argument("old", cls=api.commands.AppArgument, type=api.commands.AppName(), metavar="<old>")
@click.argument("new", type=api.commands.NewAppName(), metavar="<new>")
def apps_clone(old, new, skip_deploy, ignore_existing):
    """Make a new app of another's config, formation, settings and repository, and run what that one runs.

    It gets a default domain of its own, not the other's domains; its releases begin with v1. Services that the config
    names, such as a database, are then used by both apps.

    \b
    e.g.: apps:clone blog blog-staging
          apps:clone blog blog-staging --skip-deploy
    """
    api.app(old)
    if ignore_existing and new in api.app_names():
        api.output.info(f"app {new} already exists, nothing to do")
        return
    api.kernel.clone_app(old, new, deploy=not skip_deploy)
    if api.live_release(new) is None:
        api.output.hint(f"to deploy it: ps:rebuild {new}, or: git push paas@<host>:{new} main")


@api.commands.command("apps:trash")
@api.commands.format_option
def apps_trash(format):
    """List the destroyed apps that apps:restore can bring back.

    \b
    e.g.: apps:trash
          apps:trash --format json
    """
    api.commands.print_table(api.kernel.trashed.entries(), format)


class _Trashed(api.commands.NewAppName):
    """An app in the trash: `blog`, or `blog.1` if there are several of a name."""

    def convert(self, value, param, ctx):
        name, dot, number = value.rpartition(".")
        super().convert(name if dot and number.isdigit() else value, param, ctx)
        return value


@api.commands.command("apps:restore")
@api.commands.wait_option
@click.argument("app", cls=api.commands.AppArgument, type=_Trashed(), metavar="<app>")
def apps_restore(app):
    """Bring a destroyed app back from the trash and start it, if it ran.

    Its config, domains, releases, repository and output are as they were; it starts as a new release. If several apps
    of a name are in the trash, the last one is restored, or the one that you give, such as blog.1.

    \b
    e.g.: apps:restore blog
          apps:restore blog.1
    """
    restored = api.kernel.restore_app(app)
    api.output.step(f"{restored.name} is back" + (", and stopped" if api.app(restored.name).stopped else ""))


@api.commands.command("apps:exists")
@api.commands.app_argument
def apps_exists(app):
    """Tell by the exit status whether an app exists: 0 yes, 1 no.

    \b
    e.g.: apps:exists blog
    """
    if app not in api.app_names():
        api.app(app)  # says it, with the nearest name
    api.output.info(f"there is an app {app}")


def rows(app) -> dict:
    """The report of one app."""
    live = api.live_release(app.name)
    return {
        "app-created-at": app.created,
        "app-creator": app.creator,
        "app-dir": api.paths.repository(app.name),
        "app-live-release": live.name if live else "",
        "app-locked": bool(app.frozen),
        "app-locked-reason": app.frozen,
    }


def _everywhere() -> dict:
    """The report of the settings for all apps."""
    return {"app-create-on-push": api.kernel.platform().get("create-on-push", True)}


apps_report = api.commands.report_command("apps", rows, "Print what is known of one app or of all", _everywhere)


@api.commands.command("apps:lock")
@click.option("--message", "-m", default="", metavar="TEXT", help="Why, for those who are refused")
@api.commands.app_argument
def apps_lock(app, message):
    """Refuse changes of an app until it is unlocked: pushes, config, scale, domains and the rest.

    It keeps serving, and a deploy in progress continues to its end.

    \b
    e.g.: apps:lock blog --message "moving the database"
    """
    reason = _reason(message)
    api.kernel.lock_app(app, reason)
    api.output.step(f"Locked {app}: {reason}")
    busy = api.kernel.lock_holder(app)
    if busy:
        api.output.warn(f"{app} is being changed right now, and that continues: {_who(busy)}")
    api.output.info(f"apps:unlock {app} allows changes again")


def _who(busy) -> str:
    """Who is changing an app, in words."""
    return f"'{busy.command}' (key {busy.key}, since {busy.since}, pid {busy.pid})"


def _reason(message: str) -> str:
    """The reason shown to those who are refused: the message, and who locked the app."""
    message = message.strip()
    if len(message) > _MESSAGE_LIMIT or not (message or "a").isprintable():
        raise api.errors.UsageError(
            f"the message must be one line of at most {_MESSAGE_LIMIT} characters",
            'give a reason such as: "moving the database"',
        )
    who = f"by {api.caller.key()} since {api.kernel.holder().since}"
    return f"{message} ({who})" if message else who


@api.commands.command("apps:unlock")
@api.commands.app_argument
def apps_unlock(app):
    """Allow changes of an app again.

    \b
    e.g.: apps:unlock blog
    """
    if not api.app(app).frozen:
        api.output.info(f"{app} is not locked, nothing to do")
        return
    api.kernel.unlock_app(app)
    api.output.step(f"Unlocked {app}")


@api.commands.command("apps:locked")
@api.commands.app_argument
def apps_locked(app):
    """Tell by the exit status whether an app is locked: 0 yes, 1 no.

    It says by whom and why: by apps:lock, or by a deploy or another command that is changing it now.

    \b
    e.g.: apps:locked blog
    """
    frozen, busy = api.app(app).frozen, api.kernel.lock_holder(app)
    if frozen:
        api.output.info(f"{app} is locked: {frozen}")
    if busy:
        api.output.info(f"{app} is being changed by {_who(busy)}")
    if not frozen and not busy:
        api.output.info(f"{app} is not locked")
        return 1
    return 0


_SETTINGS = {"create-on-push": {"true": True, "false": False}}


@api.commands.command("apps:set", every=True)
@click.option("--global", "everyone", is_flag=True, help="For all apps, and those to come")
@click.argument("key", metavar="<key>")
@click.argument("value", metavar="[<value>]", default="")
def apps_set(everyone, key, value):
    """Set a setting for all apps; without a value, clear it.

    create-on-push (true or false, default true): whether a git push to a new name creates the app.

    \b
    e.g.: apps:set --global create-on-push false
    """
    if not everyone:
        raise api.errors.UsageError(
            "apps:set has no settings of single apps, only --global ones", "apps:set --global create-on-push false"
        )
    if key not in _SETTINGS:
        raise api.errors.UsageError(f"there is no setting {api.names.safe(key)}", "one of: " + ", ".join(_SETTINGS))
    if value and value not in _SETTINGS[key]:
        raise api.errors.UsageError(f"{key} cannot be {api.names.safe(value)}", "one of: " + ", ".join(_SETTINGS[key]))
    if value:
        api.kernel.edit_platform(lambda document: document.update({key: _SETTINGS[key][value]}))
    else:
        api.kernel.edit_platform(lambda document: document.pop(key, None))
    api.output.step(f"{key} is {value}" if value else f"{key} is the default again")
