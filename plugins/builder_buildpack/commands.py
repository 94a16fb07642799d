"""buildpacks:add, set, remove, list, clear, detect, report, set-property, and repo:purge-cache."""

import click

from minipaas_lib import api

_BUILDPACK = """\
A buildpack is a built-in one (python, node, static, procfile), a name such as heroku/go, or a https git URL, with
#<branch, tag or commit> if need be. Its newest commit is used at the next build, and from then on that very commit,
until the buildpack is set again."""


@api.commands.command(
    "buildpacks:add",
    help=f"""Add a buildpack to those of an app, last or at a place.

{_BUILDPACK}

\b
e.g.: buildpacks:add blog heroku/nodejs
      buildpacks:add --index 1 blog https://github.com/heroku/heroku-buildpack-apt.git
""",
)
@api.commands.wait_option
@click.option(
    "--index", type=click.IntRange(1, 20), metavar="N", help="The place in the list, counted from 1 (default: last)"
)
@api.commands.app_argument
@click.argument("buildpack", metavar="<buildpack>")
def buildpacks_add(index, app, buildpack):
    from plugins.builder_buildpack import usable

    text = usable.parse(buildpack).text

    def change(packs):
        if text in packs:
            raise api.errors.UsageError(f"{text} is already one of the buildpacks of {app}", f"buildpacks:list {app}")
        packs.insert(len(packs) if index is None else index - 1, text)

    _edit(app, change, [text])


@api.commands.command(
    "buildpacks:set",
    help=f"""Set the buildpack at a place of an app's list, or all of them.

{_BUILDPACK}

\b
e.g.: buildpacks:set blog python
      buildpacks:set --index 2 blog heroku/nodejs
      buildpacks:set --replace blog node python
""",
)
@api.commands.wait_option
@click.option(
    "--index", type=click.IntRange(1, 20), metavar="N", help="The place in the list, counted from 1 (default: 1)"
)
@click.option("--replace", is_flag=True, help="Make these the whole list")
@api.commands.app_argument
@click.argument("buildpacks", metavar="<buildpack>...", nargs=-1, required=True)
def buildpacks_set(index, replace, app, buildpacks):
    from plugins.builder_buildpack import usable

    texts = [usable.parse(text).text for text in buildpacks]
    if not replace and len(texts) > 1:
        raise api.errors.UsageError(
            "only one buildpack is set at a time", f"buildpacks:set --replace {app} {' '.join(texts)}"
        )
    if replace and index is not None:
        raise api.errors.UsageError("--index and --replace cannot be combined", "buildpacks:set --help")
    if len(set(texts)) < len(texts):
        raise api.errors.UsageError("a buildpack is given twice", "give each once")

    def change(packs):
        if replace:
            packs[:] = texts
            return
        place = (index or 1) - 1
        packs[place : place + 1] = texts
        if packs.count(texts[0]) > 1:
            raise api.errors.UsageError(
                f"{texts[0]} is already one of the buildpacks of {app}", f"buildpacks:list {app}"
            )

    _edit(app, change, texts)


@api.commands.command("buildpacks:remove")
@api.commands.wait_option
@api.commands.app_argument
@click.argument("buildpack", metavar="<buildpack>")
def buildpacks_remove(app, buildpack):
    """Remove a buildpack from those of an app.

    \b
    e.g.: buildpacks:remove blog heroku/nodejs
    """
    from plugins.builder_buildpack import references

    text = references.parse(buildpack).text

    def change(packs):
        if text not in packs:
            raise api.errors.NotFound(f"{text} is not one of the buildpacks of {app}", f"buildpacks:list {app}")
        packs.remove(text)

    _edit(app, change, [text])


@api.commands.command("buildpacks:clear")
@api.commands.wait_option
@api.commands.app_argument
def buildpacks_clear(app):
    """Forget the buildpacks that were set for an app, and the commits it stays with.

    The next build uses what .buildpacks names, or what suits the repository.

    \b
    e.g.: buildpacks:clear blog
    """
    _edit(app, lambda packs: packs.clear(), None)


@api.commands.command("buildpacks:list")
@api.commands.format_option
@api.commands.app_argument
def buildpacks_list(format, app):
    """List the buildpacks of an app, and the commit it stays with of each.

    Where none are set, those of the newest build that was made with buildpacks.

    \b
    e.g.: buildpacks:list blog
    """
    rows = _rows(api.app(app))
    if format == "stdout" and not rows:
        api.output.info(f"no buildpacks are set for {app}: its repository decides")
    api.commands.print_table(rows, format)


@api.commands.command("buildpacks:detect")
@click.option("--branch", metavar="<branch>", help="The branch to look at (default: the one that deploys)")
@api.commands.app_argument
def buildpacks_detect(branch, app):
    """Print which buildpacks would build an app, and why.

    \b
    e.g.: buildpacks:detect blog
    """
    from plugins.builder_buildpack import branches

    found = branches.choice(api.app(app), branch)
    api.output.info(found.why)
    for pack in found.packs:
        api.output.data(pack.text)


@api.commands.command("buildpacks:set-property")
@api.commands.wait_option
@api.commands.target_argument("For all apps")
@click.argument("name", metavar="<property>")
@click.argument("value", metavar="[<value>]", default="")
def buildpacks_set_property(app, name, value):
    """Set or clear a property of an app's buildpacks, or of all apps'.

    \b
    stack          the image that buildpacks run in and the app's image begins with
    local-folder   --global, by root on the host: buildpacks below this folder may be named by their path

    \b
    e.g.: buildpacks:set-property blog stack python:3.12-bookworm
          buildpacks:set-property --global stack registry.example.org/stack:2
          buildpacks:set-property blog stack
    """
    from plugins.builder_buildpack import settings

    wanted = settings.parse(name, value) if value or name not in settings.PROPERTIES else None
    if name == "stack" and wanted:
        from plugins.builder_buildpack import usable

        usable.stack(app, wanted)
    if name == "local-folder" and (app or api.caller.key() != "root"):
        raise api.errors.Denied(
            "only root on the host sets local-folder, for all apps",
            "sudo minipaas buildpacks:set-property --global local-folder <folder>",
        )

    def change(document):
        table = document.setdefault(settings.TABLE, {})
        if wanted is None:
            table.pop(name, None)
        else:
            table[name] = wanted

    api.edit_app(app, change) if app else api.kernel.edit_platform(change)
    shown = "is cleared" if wanted is None else f"is now {wanted}"
    api.output.step(f"{name} of {app or 'all apps'} {shown}; the next build uses it")


@api.commands.command("repo:purge-cache")
@api.commands.wait_option
@api.commands.app_argument
def repo_purge_cache(app):
    """Remove what buildpacks keep of an app from one build to the next; the next build downloads it again.

    \b
    e.g.: repo:purge-cache blog
    """
    from plugins.builder_buildpack import cleanup

    api.app(app)
    with api.lock(app):
        cleanup.app_gone(app)
    api.output.step(f"the build cache of {app} is empty")


def _edit(app, change, texts):
    """Change the list of an app's buildpacks; these, or all, are fetched again at the next build."""
    from plugins.builder_buildpack import pins, references, settings

    result: list[str] = []

    def alter(document):
        packs = [str(text) for text in document.get(settings.TABLE, {}).get("list", [])]
        change(packs)
        if len(packs) > references.MOST:
            raise api.errors.UsageError(
                f"an app can have at most {references.MOST} buildpacks", f"buildpacks:list {app}"
            )
        table = document.setdefault(settings.TABLE, {})
        table.pop("list", None)
        if packs:
            table["list"] = packs
        result[:] = packs

    api.edit_app(app, alter)
    pins.forget(app, texts)
    api.output.step(f"buildpacks of {app}: {' '.join(result) or 'none are set'}")
    api.output.info(f"the next build uses them; to build now: ps:rebuild {app}")


def _rows(app):
    """The rows of buildpacks:list."""
    from plugins.builder_buildpack import pins, settings

    packs, pinned = settings.listed(app), pins.pinned(app.name)
    if not packs:
        return [{"buildpack": text.partition("#")[0], "commit": text.partition("#")[2]} for text in _live(app)]
    return [{"buildpack": text, "commit": pinned.get(text, "")} for text in packs]


def _live(app):
    """What built the live release, with commits."""
    from plugins.builder_buildpack import pins

    release = api.live_release(app.name)
    if release is None or release.builder != "buildpack":
        return []
    return pins.built_with(app.name, release.image)


def _report(app):
    from plugins.builder_buildpack import settings

    return {
        "buildpacks-list": settings.listed(app),
        "buildpacks-live": _live(app),
        "buildpacks-stack": app.table(settings.TABLE).get("stack", ""),
        "buildpacks-global-stack": settings.everywhere().get("stack", ""),
        "buildpacks-local-folder": settings.local_folder(),
    }


buildpacks_report = api.commands.report_command(
    "buildpacks", _report, "Report the buildpacks of an app and what they run in"
)
