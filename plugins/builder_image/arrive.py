"""Deploy an image that was made elsewhere: a commit names it, and the builder takes it from there."""

import json

from minipaas_lib import api
from plugins.builder_image import docker, images, mark

LOAD_LIMIT = 20 << 30  # bytes of an image on stdin
_MANIFEST_LIMIT = 1 << 20  # bytes
_BLOCK = 512


def from_image(name: str, image: str, author: str) -> "api.Release":
    """Pull an image and deploy it. Raises errors.MinipaasError."""
    mark.reference(image)
    with api.incoming(name), images.obtained(api.app(name), image) as found:
        return _deploy(name, found, author, "git:from-image")


def load_image(name: str, image: str, author: str, file) -> "api.Release":
    """Deploy an image that `docker save <image>` wrote to `file`. Raises errors.MinipaasError."""
    mark.reference(image)
    if "@" in image:
        raise api.errors.UsageError("an image from stdin has a name and a tag, no digest", f"git:load-image {name} blog:1.2")
    with api.incoming(name), _spooled(file) as archive:
        _check_names(archive, image)
        before = docker.inspect(image)
        api.output.step(f"Loading {image}")
        status, _, said = docker.run("load", "--quiet", timeout=docker.PULL_LIMIT, stdin=archive)
        if status:
            raise api.errors.BuildFailed(f"docker cannot load the image: {docker.last_line(said)}", f"docker save {image} | ssh ... git:load-image")
        try:
            found = docker.inspect(image)
            if found is None:
                raise api.errors.BuildFailed(f"what was loaded is not named {image}", f"docker save {image} | ssh ... git:load-image")
            return _deploy(name, mark.Mark(image, found["Id"]), author, "git:load-image")
        finally:  # as pulling, loading leaves the names of this host as they were
            docker.tag(before["Id"], image) if before else docker.untag(image)


def _deploy(name: str, found: mark.Mark, author: str, reason: str) -> "api.Release":
    """Commit the mark and deploy that. The other files of an app that runs an image already stay."""
    parent = api.repository.head_of(name) or None
    keep = bool(parent) and api.repository.file_of(name, parent, mark.PATH, mark.SIZE_LIMIT) is not None
    data = [mark.text(found)]
    entry = api.Entry(mark.PATH, "100644", len(data[0]), lambda limit: data.pop() if data else b"")
    commit = api.repository.commit_tree(name, [entry], f"Deploy the image {found.image}", author, parent, keep)
    return api.deploy_commit(name, commit, reason)


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
                        raise api.errors.InvalidFile(f"the image has more than {LOAD_LIMIT >> 30} GB", "push it to a registry, and: git:from-image")
                    kept.write(piece)
                kept.flush()
            except OSError as error:
                raise api.errors.Unavailable(f"the image cannot be kept: {error.strerror}", "doctor") from None
            kept.seek(0)
            yield kept

    return spool()


def _check_names(archive, image: str) -> None:
    """Refuse an archive that docker would take names from other than `image`: they may be another app's.

    Raises errors.InvalidFile.
    """
    manifests = [content for name, content in _headers(archive) if name == "manifest.json"]
    hint = f"docker save {image} | ssh ... git:load-image"
    if len(manifests) != 1:
        raise api.errors.InvalidFile("this is not what docker save writes: it has no manifest.json, or several", hint)
    try:
        tags = [tag for entry in json.loads(manifests[0]) for tag in entry.get("RepoTags") or []]
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise api.errors.InvalidFile("the manifest.json of the image cannot be read", hint) from None
    others = [tag for tag in tags if not isinstance(tag, str) or _full(tag) != _full(image)]
    if others or not tags:
        said = f"names {api.names.safe(str(others[0]))}, not {image}" if others else "names no image"
        raise api.errors.InvalidFile(f"what came on stdin {said}", hint)
    archive.seek(0)


def _full(name: str) -> str:
    """A reference with its tag, and without what docker adds by itself."""
    name = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return name.removeprefix("docker.io/").removeprefix("library/")


def _headers(archive):
    """(name, content) of the small files of a tar at its top, as docker's own reader finds them."""
    import tarfile

    try:
        size = archive.seek(0, 2)
        archive.seek(0)
        if archive.read(2) == b"\x1f\x8b":
            raise api.errors.InvalidFile("the image is zipped", "send it as docker save writes it: a tar")
        archive.seek(0)
        with tarfile.open(fileobj=_Modest(archive), mode="r:") as tar:
            for member in tar:
                if member.offset_data > size:
                    break
                name = member.name.removeprefix("./").rstrip("/")
                if name in ("manifest.json",) and member.isreg() and member.size <= _MANIFEST_LIMIT:
                    yield name, tar.extractfile(member).read()
                elif name == "manifest.json":
                    yield name, b""
    except (tarfile.TarError, OSError, ValueError, EOFError):
        raise api.errors.InvalidFile("what came on stdin is no image: it is not a tar archive", "docker save <image> | ssh ...") from None


class _Modest:
    """A file that is never read in large pieces: the library reads headers of whatever size they say they have."""

    def __init__(self, file) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * _MANIFEST_LIMIT:
            raise ValueError("too large a piece")
        return self._file.read(size)
