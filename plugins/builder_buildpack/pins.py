"""Which commit of each buildpack an app is built with, and was: the document apps/<app>/buildpacks.toml.

`pins`: buildpack -> commit, until the buildpack is set again. `images`: image ID -> what built it, oldest first.
"""

from minipaas_lib import api

KEPT_IMAGES = 100


def path(app: str) -> str:
    return f"apps/{app}/buildpacks.toml"


def read(app: str) -> dict:
    """The document; empty if there is none."""
    try:
        return dict(api.kernel.documents.read(api.kernel.store(), path(app)))
    except api.errors.NotFound:
        return {}


def pinned(app: str) -> dict[str, str]:
    return {str(text): str(commit) for text, commit in read(app).get("pins", {}).items()}


def built_with(app: str, image: str) -> list[str]:
    """The buildpacks, with their commits, that built an image."""
    return [str(text) for text in read(app).get("images", {}).get(image, [])]


def remember(app: str, image: str, packs: list) -> None:
    """Note what built an image, and stay with it. `packs` are fetch.Pack."""
    document = read(app)
    pins = dict(document.get("pins", {})) | {pack.reference.text: pack.commit for pack in packs if pack.commit}
    images = dict(document.get("images", {}))
    images.pop(image, None)
    images[image] = [pack.text for pack in packs]
    kept = {key: images[key] for key in [*images][-KEPT_IMAGES:]}
    api.kernel.documents.write(api.kernel.store(), path(app), {"pins": pins, "images": kept})


def forget(app: str, texts: list[str] | None = None) -> None:
    """Take the newest commit of these buildpacks, or of all, at the next build."""
    document = read(app)
    pins = {} if texts is None else {key: value for key, value in document.get("pins", {}).items() if key not in texts}
    if pins != document.get("pins", {}):
        api.kernel.documents.write(api.kernel.store(), path(app), document | {"pins": pins})
