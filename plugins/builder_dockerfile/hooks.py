"""Build the image of an app from its Dockerfile."""

from minipaas_lib import api
from plugins.builder_dockerfile import settings

_SIZE_LIMIT = 1024 * 1024  # bytes of a Dockerfile
_NAME = "dockerfile"


@api.hookimpl
def detect_builder(app, context):
    path = settings.dockerfile_path(app)
    if app.table(settings.TABLE).get("dockerfile-path"):  # somebody said that this very app has one
        return f"{_NAME}: builder-dockerfile:set names {path}"
    if api.repository.read_file(context, path, _SIZE_LIMIT) is None:
        return None
    return f"{_NAME}: there is a {path}"


@api.hookimpl
def before_config(app, names, config):
    if app is None:
        return
    gone = [
        name
        for name in settings.secrets(app)
        if name in names and name not in config and name not in api.kernel.platform().get("config", {})
    ]
    if gone:
        said = f"builds of {app.name} use {gone[0]} as a secret and fail without it"
        raise api.errors.UsageError(
            said, f"take it out of the secrets first: builder-dockerfile:set {app.name} secrets <others>"
        )


@api.hookimpl
def builder_names():
    return [_NAME]


@api.hookimpl
def builder_files(app):
    return [settings.dockerfile_path(app)]


@api.hookimpl
def build_image(app, builder, context, commit, release):
    if builder != _NAME:
        return None
    from plugins.builder_dockerfile import build, job

    path = settings.dockerfile_path(app)
    text = api.repository.read_file(context, path, _SIZE_LIMIT)
    if text is None:
        raise api.errors.BuildFailed(
            f"there is no {api.names.safe(path)[1:-1]} in commit {commit[:10]}",
            f"commit it, or: builder-dockerfile:set {app.name} dockerfile-path <path>",
        )
    return build.build(job.job_of(app, context, commit, release, text))


@api.hookimpl
def images_unused(app, kept, newest):
    from plugins.builder_dockerfile import cleanup

    return cleanup.remove_unused(app.name, kept, newest)


@api.hookimpl
def app_renamed(app, former):
    from plugins.builder_dockerfile import cleanup

    images = {release.image for release in api.releases(app.name)} - {""}
    cleanup.rename(former, app.name, images, api.kernel.trashed.images(former))
