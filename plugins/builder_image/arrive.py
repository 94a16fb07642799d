"""Deploy an image that was made elsewhere: a commit names it, and the builder takes it from there."""

from minipaas_lib import api
from plugins.builder_image import docker, images, mark, saved

LOAD_LIMIT = 20 << 30  # bytes of an image on stdin


def from_image(name: str, image: str, author: str) -> "api.Release":
    """Pull an image and deploy it. Raises errors.MinipaasError."""
    mark.reference(image)
    with api.kernel.incoming(name), images.obtained(api.app(name), image) as found:
        return _deploy(name, found, author, "git:from-image")


def load_image(name: str, image: str, author: str, file) -> "api.Release":
    """Deploy an image that `docker save <image>` wrote to `file`. Raises errors.MinipaasError.

    docker gets it under a name of the app's own: what other names of this host stand for stays as it is.
    """
    mark.reference(image)
    if "@" in image:
        raise api.errors.UsageError(
            "an image from stdin takes a name and a tag, not a digest", f"git:load-image {name} blog:1.2"
        )
    images.refuse_ours(name, image)
    with api.kernel.incoming(name), _spooled(file) as archive:
        saved_image, own = saved.read(archive, image), images.own_name(name)
        api.output.step(f"Loading {image}")
        with images.named(own):
            docker.feed(["load", "--quiet"], lambda pipe: saved.write(archive, saved_image, own, pipe))
            found = docker.inspect(own)
            if found is None:
                raise api.errors.Unavailable(
                    "docker does not know the image that it has just loaded",
                    "if another command pruned images, send it again",
                )
            return _deploy(name, mark.Mark(image, found["Id"]), author, "git:load-image")


def _deploy(name: str, found: mark.Mark, author: str, reason: str) -> "api.Release":
    """Commit the mark and deploy that. The other files of an app that runs an image already stay."""
    parent = api.repository.head_of(name) or None
    keep = parent is not None and api.repository.file_of(name, parent, mark.PATH, mark.SIZE_LIMIT) is not None
    data = [mark.text(found)]
    entry = api.kernel.Entry(mark.PATH, "100644", len(data[0]), lambda limit: data.pop() if data else b"")
    commit = api.repository.commit_tree(name, [entry], f"Deploy the image {found.image}", author, parent, keep)
    return api.kernel.deploy_commit(name, commit, reason)


def _spooled(file):
    """A nameless file with all of stdin: the archive's table of contents may be its last entry."""
    import contextlib
    import os
    import tempfile

    @contextlib.contextmanager
    def spool():
        os.makedirs(api.paths.work(), mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=api.paths.work()) as kept:
            size = 0
            try:
                while piece := file.read(1 << 20):
                    size += len(piece)
                    if size > LOAD_LIMIT:
                        raise api.errors.InvalidFile(
                            f"the image has more than {LOAD_LIMIT >> 30} GB",
                            "push it to a registry, then: git:from-image <app> <image>",
                        )
                    kept.write(piece)
                kept.flush()
            except OSError as error:
                raise api.errors.Unavailable(
                    f"the image cannot be stored: {error.strerror}", "look for a full disk or a wrong owner: doctor"
                ) from None
            kept.seek(0)
            yield kept

    return spool()
