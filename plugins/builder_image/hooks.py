"""The builder that builds nothing: a commit names the image."""

from minipaas_lib import api

_NAME = "image"
_PATH = ".minipaas-image.toml"  # as in mark.py, which not every build needs


@api.hookimpl(tryfirst=True)
def detect_builder(app, context):
    if api.repository.read_file(context, _PATH, 1 << 16) is None:
        return None
    return f"{_NAME}: {_PATH} names one"


@api.hookimpl
def builder_names():
    return [_NAME]


@api.hookimpl
def builder_files(app):
    return [_PATH]


@api.hookimpl
def build_image(app, builder, context, commit, release):
    if builder != _NAME:
        return None
    from plugins.builder_image import images, mark

    data = api.repository.read_file(context, _PATH, mark.SIZE_LIMIT)
    if data is None:
        raise api.errors.BuildFailed(
            f"there is no {_PATH} in commit {commit[:10]}", f"git:from-image {app.name} <image>"
        )
    has_procfile = api.repository.read_file(context, "Procfile", 1 << 20) is not None
    return images.build(app, mark.parse(data), release, has_procfile)
