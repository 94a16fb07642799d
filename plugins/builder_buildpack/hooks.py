"""Build the image of an app with buildpacks."""

from minipaas_lib import api

_NAME = "buildpack"


@api.hookimpl(trylast=True)  # a Dockerfile, and whatever a plugin from elsewhere builds, goes before
def detect_builder(app, context):
    from plugins.builder_buildpack import choose

    choice = choose.choose(app, context, api.merged_config(app))
    return choice and f"{_NAME}: {choice.why}"


@api.hookimpl
def before_config(app, names, config):
    if "BUILDPACK_URL" in names and config.get("BUILDPACK_URL"):
        from plugins.builder_buildpack import usable

        usable.parse(config["BUILDPACK_URL"].strip(" \t"))


@api.hookimpl
def builder_names():
    return [_NAME]


@api.hookimpl
def builder_files(app):
    from plugins.builder_buildpack import choose

    return choose.LOOKED_FOR


@api.hookimpl
def build_image(app, builder, context, commit, release):
    if builder != _NAME:
        return None
    from plugins.builder_buildpack.build import build

    return build(app, context, commit, release)


@api.hookimpl
def images_unused(app, kept, newest):
    from plugins.builder_buildpack import cleanup

    return cleanup.remove_unused(app.name, kept, newest)


@api.hookimpl
def app_destroyed(app):
    from plugins.builder_buildpack import cleanup

    cleanup.app_gone(app.name)


@api.hookimpl
def app_renamed(app, former):
    from plugins.builder_buildpack import cleanup

    cleanup.remove_dead_build(former)
    cleanup.purge_cache(former)  # it is created again; that of another app with the name, which is building, stays
