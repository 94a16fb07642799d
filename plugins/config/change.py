"""Make the config of an app, or of all, what somebody wants it to be."""

from minipaas_lib import api

_NAMED = 10  # names that a sentence lists before it counts


def present(app: str | None) -> dict[str, str]:
    """The app's own config, or with None the global one."""
    return dict(api.kernel.platform().get("config", {})) if app is None else api.app(app).config


def apply(app: str | None, wanted: dict[str, str], restart: bool, plan: bool = False) -> None:
    """Change the config from what it is to `wanted`, as a release of the app, or of every app where `app` is None.

    With `plan` it only prints what would be done to the app. Where nothing differs nothing is done. Raises
    errors.UsageError for what a build or a deploy would refuse later, errors.DeployFailed when an app could not take
    it.
    """
    before = present(app)
    api.names.whole_config(wanted, before, api.names.CONFIG_LIMIT if app else api.names.GLOBAL_CONFIG_LIMIT)
    new = {name: value for name, value in wanted.items() if before.get(name) != value}
    gone = [name for name in before if name not in wanted]
    target = app or "global"
    if not new and not gone:
        api.output.info(f"config of {target} is unchanged")
        return
    changed = sorted([*new, *gone])
    if "PORT" in new:
        api.kernel.told_port(wanted, target if app else "--global")
    api.call("before_config", app=api.app(app) if app else None, names=changed, config=wanted)
    reason = f"config: {describe(before, new, gone)}"

    def edit(document) -> None:
        if "config" not in document:
            document["config"] = {}
        for name in gone:
            document["config"].pop(name, None)
        document["config"].update(new)

    if plan:
        assert app is not None, "--plan and --global are refused together"
        api.commands.print_plan(api.kernel.plan(app, reason, edit, restart=restart))
        return
    if app is None:
        _everywhere(edit, reason, restart)
    elif api.change(app, reason, edit, restart=restart) is None:
        api.output.step(f"{app} {reason}")
        if not restart and api.live_release(app):
            api.output.info(f"what runs keeps its config until the next release; to use it now: ps:restart {app}")
    api.notify("config_changed", app=api.app(app) if app else None, names=changed)


def describe(before: dict[str, str], new: dict[str, str], gone: list[str]) -> str:
    """Which names are added, changed and removed; no values."""
    parts = {
        "added": [name for name in new if name not in before],
        "changed": [name for name in new if name in before],
        "removed": gone,
    }
    return ", ".join(f"{verb} {_listed(names)}" for verb, names in parts.items() if names)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return " ".join(sorted(names)[:_NAMED]) + more


def _everywhere(edit, reason: str, restart: bool) -> None:
    """Change the global config, then every app, one after the other."""
    api.kernel.edit_platform(edit)
    api.output.step(f"global {reason}")
    if not restart:
        api.output.info("what runs keeps its config until its next release")
        return
    failed = api.change_all(f"global {reason}")
    if failed:
        raise api.errors.DeployFailed(
            f"{failed} of {len(api.app_names())} apps could not take the new global config; they keep what they had"
            " until their next release",
            "for each app named above: ps:restart <app>",
        )
